/* zigcc: Zig's clang behind the names and flags that build systems use.
 *
 * Called as cc, c++, gcc, g++, clang, clang++ (with or without a "triple-" in front) it translates the arguments and
 * runs `zig cc` or `zig c++` for the target of its configuration; as build-cc and build-c++ for the machine it runs on;
 * as ar, ranlib and ld it runs Zig's; as strip it does nothing, for what it links is stripped already.
 *
 * Configuration: the file zigcc.conf beside the folder this program lies in, a "key value" a line:
 *   zig PATH            the Zig program
 *   library FOLDER      what it compiles its libc, libc++ and so on from; else its own
 *   cache FOLDER        where Zig keeps its libc and libc++
 *   objects FOLDER      where it keeps what it compiles, and `headers` in it what that was made of; else as above
 *   compiles FILE       gets a letter for each compile of the project: h for one out of `objects`, m for the others
 *   folder FOLDER       becomes "." in the paths that compiled code carries
 *   target TRIPLE       what cc builds for, in Zig's spelling: aarch64-linux-gnu.2.17
 *   build-target TRIPLE what build-cc builds for
 *   multiarch TRIPLE    the answer to -print-multiarch
 *   debug yes           keep debug information
 *   map OLD NEW         a folder of this machine and the target's folder to use instead
 *   hide FOLDER         a folder of this machine whose headers and libraries are not the target's
 *   include FOLDER      a folder of the target's headers      lib FOLDER   ... of its libraries
 *
 * It is C, and not Python, because a configure script starts it hundreds of times, and because it also has to run
 * inside containers of another architecture, where a static program of this machine starts at full speed.
 */
#include "zigcc.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Zig carries no OpenMP runtime: the pragmas would compile, and leave symbols undefined that no libc has. */
static void refuse_openmp(const list *in) {
    for (size_t i = 0; i < in->count; i++)
        if (same(in->items[i], "-fopenmp") || starts(in->items[i], "-fopenmp=")) { /* -fopenmp-simd needs none */
            fprintf(stderr, "zigcc: error: unsupported option '%s': no OpenMP runtime for this target\n", in->items[i]);
            exit(1);
        }
}

static int compile(bool cxx, bool for_build, const list *in) {
    unit one = {0};
    bool alone = conf.objects && !for_build && read_unit(&one, in);
    if (alone) in = &one.words;
    list command = {0};
    push(&command, conf.zig);
    push(&command, cxx || wants_cxx(in) ? "c++" : "cc");
    push(&command, "-target");
    push(&command, for_build ? conf.build_target : conf.target);
    /* Zig adds the sanitizer where no -O stands, and its calls are undefined in every libc. */
    push(&command, "-fno-sanitize=undefined");
    if (for_build) return compile_for_build(&command, in);
    refuse_openmp(in);
    date(&command, in);
    if (!conf.debug) push(&command, "-g0");
    if (conf.folder) {
        char map[PATH_MAX + 32];
        snprintf(map, sizeof map, "-ffile-prefix-map=%s=.", conf.folder);
        push(&command, map);
    }
    translate(&command, in);
    /* After everything else: the target's libc headers are Zig's, of the policy's version, not the sysroot's. */
    for (size_t i = 0; i < conf.includes.count; i++) { push(&command, "-idirafter"); push(&command, conf.includes.items[i]); }
    if (links(in) && in->count) {
        for (size_t i = 0; i < conf.libs.count; i++) push_joined(&command, "-L", conf.libs.items[i]);
        if (!conf.debug) push(&command, "-s");
    }
    return alone ? compile_unit(&one, &command) : run(&command);
}

int main(int argc, char **argv) {
    char *name = basename(argv[0]);
    read_conf();
    list in = {0};
    for (int i = 1; i < argc; i++) expand(&in, argv[i], 0);
    if (same(name, "build-cc")) return compile(false, true, &in);
    if (same(name, "build-c++")) return compile(true, true, &in);
    char *dash = strrchr(name, '-');
    if (dash) name = dash + 1; /* aarch64-linux-gnu-gcc */
    if (same(name, "ar")) return run_tool("ar", argc, argv);
    if (same(name, "ranlib")) return run_tool("ranlib", argc, argv);
    if (same(name, "ld")) return run_tool("ld.lld", argc, argv);
    if (same(name, "strip")) return 0;
    static const char *const questions[] = {"-print-multiarch", "--print-multiarch", "-dumpmachine", NULL};
    for (size_t i = 0; i < in.count; i++)
        if (among(in.items[i], questions)) {
            puts(conf.multiarch ? conf.multiarch : conf.target);
            return 0;
        }
    return compile(strstr(name, "++") != NULL, false, &in);
}
