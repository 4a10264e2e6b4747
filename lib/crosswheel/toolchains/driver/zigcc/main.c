/* zigcc: Zig's clang behind the names and flags that build systems use.
 *
 * Called as cc, c++, gcc, g++, clang, clang++ (with or without a "triple-" in front) it translates the arguments and
 * runs `zig cc` or `zig c++` for the target of its configuration, or `zig clang` with an image as sysroot, and so it does
 * as c89, c99, cpp and as (names.c); as build-cc and build-c++ for the machine it runs on; as ar, ranlib, ld and ld.lld it runs Zig's; as strip it does nothing, for
 * what it links is stripped already.
 *
 * Configuration: the file zigcc.conf beside the folder this program lies in, a "key value" a line:
 *   zig PATH            the Zig program
 *   library FOLDER      what it compiles its libc, libc++ and so on from; else its own
 *   cache FOLDER        where Zig keeps its libc and libc++
 *   objects FOLDER      where Zig leaves what it compiles; else as above. A folder of this build alone: see objects.c
 *   ccache PATH         the ccache that keeps objects     setting NAME=VALUE   a variable that it is told
 *   linked FOLDER       where lld keeps what it compiles at links
 *   folder FOLDER       becomes "." in the paths that compiled code carries
 *   target TRIPLE       what cc builds for, in Zig's spelling: aarch64-linux-gnu.2.17
 *   word WORD           a word for Zig, such as -mcpu=z196, whenever the target is compiled or linked for
 *   build-target TRIPLE what build-cc builds for
 *   multiarch TRIPLE    the answer to -print-multiarch
 *   debug yes           keep debug information
 *   map OLD NEW         a folder of this machine and the target's folder to use instead
 *   over FOLDER NEW     the build environment, and where the target's shared libraries of what it has lie instead
 *   hide FOLDER         a folder of this machine whose headers and libraries are not the target's
 *   include FOLDER      a folder of the target's headers      lib FOLDER   ... of its libraries
 *   clang WORD          a word that makes clang act as the gcc of an image; Zig's runtimes are not used then
 *   root FOLDER         the image's files, or a sysroot's: its folder stands in for a hidden one of the same name
 *
 * It is C, and not Python, because a configure script starts it hundreds of times, and because it also has to run
 * inside containers of another architecture, where a static program of this machine starts at full speed.
 */
#include "zigcc.h"
#include "../shared/gcc.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Zig carries no OpenMP runtime: the pragmas would compile, and leave symbols undefined that no libc has. */
static void refuse_openmp(const list *in) {
    for (size_t i = 0; i < in->count; i++)
        if (same(in->items[i], "-fopenmp") || starts(in->items[i], "-fopenmp=")) { /* -fopenmp-simd needs none */
            fprintf(stderr, "zigcc: error: unsupported option '%s': no OpenMP runtime for this target\n", in->items[i]);
            exit(1);
        }
}

/* Clang would take no notice, and compile something else. */
static void refuse_what_only_gcc_does(const list *in) {
    for (size_t i = 0; i < in->count; i++) {
        const char *why = gcc_alone(in->items[i]);
        if (!why) continue;
        fprintf(stderr, "zigcc: error: unsupported option '%s': only gcc has it; with clang, %s\n", in->items[i], why);
        exit(1);
    }
}

/* gcc is silent about these, or warns. */
static void push_leniency(list *command, bool cxx, const list *in) {
    push(command, "-Qunused-arguments"); /* nobody asked for this compiler: what gcc takes must not fail a build */
    push(command, "-Wno-unknown-warning-option");
    /* Zig makes an error of __DATE__ and __TIME__. SOURCE_DATE_EPOCH says what they mean, and ccache looks for them. */
    push(command, "-Wno-date-time");
    if (!cxx) push_all(command, gcc_warnings((int)in->count, in->items));
}

static bool is_asked(const list *in, const char *word) {
    for (size_t i = 0; i < in->count; i++)
        if (same(in->items[i], word)) return true;
    return false;
}

static int compile(bool cxx, bool for_build, const list *in);

/* -c with several sources, which Zig takes without a word and without an object. */
static int compile_each(bool cxx, const list *in) {
    int code = 0;
    if (is_asked(in, "-o")) {
        fputs("zigcc: error: cannot specify '-o' with '-c' and several sources\n", stderr);
        return 1;
    }
    for (size_t i = 0; i < in->count && !code; i++) {
        if (takes_value(in->items[i])) {
            i++;
            continue;
        }
        if (!is_source(in->items[i])) continue;
        list one = {0};
        for (size_t j = 0; j < in->count; j++) {
            bool other = j != i && is_source(in->items[j]) && !(j && takes_value(in->items[j - 1]));
            if (!other) push(&one, in->items[j]);
        }
        fflush(NULL);
        pid_t child = fork();
        if (child < 0) {
            perror("zigcc: fork");
            exit(1);
        }
        if (!child) _exit(compile(cxx, false, &one));
        code = wait_for(child);
    }
    return code;
}

static size_t count_sources(const list *in) {
    size_t count = 0;
    for (size_t i = 0; i < in->count; i++) {
        if (takes_value(in->items[i])) i++;
        else count += is_source(in->items[i]);
    }
    return count;
}

static list zig_command(bool cxx, bool for_build) {
    list command = {0};
    push(&command, conf.zig);
    push(&command, cxx ? "c++" : "cc");
    push(&command, "-target");
    push(&command, for_build ? conf.build_target : conf.target);
    for (size_t i = 0; i < conf.words.count && !for_build; i++) push(&command, conf.words.items[i]);
    /* Zig adds the sanitizer where no -O stands, and its calls are undefined in every libc. */
    push(&command, "-fno-sanitize=undefined");
    return command;
}

static list clang_command(bool cxx) {
    list command = {0};
    push(&command, conf.zig);
    push(&command, "clang");
    if (cxx) push(&command, "--driver-mode=g++");
    for (size_t i = 0; i < conf.clang.count; i++) push(&command, conf.clang.items[i]);
    return command;
}

/* The frame pointer is left out where gcc leaves it out. */
static void push_frame_pointer(list *command, const list *in) {
    if (!gcc_omits_frame_pointer((int)in->count, in->items)) return;
    if (has_gcc()) {
        push(command, "-fomit-frame-pointer");
        return;
    }
    push(command, "-Xclang"); /* past Zig, which would build other runtimes for -fomit-frame-pointer */
    push(command, "-mframe-pointer=none");
}

/* Zig defines NDEBUG where code is optimised, and compiles -O3 and -Ofast as -O2. The caller's own words come later. */
static void push_optimisation(list *command, const list *in) {
    const char *last = "-O0";
    for (size_t i = 0; i < in->count; i++)
        if (starts(in->items[i], "-O")) last = in->items[i];
    if (same(last, "-O0")) return;
    push(command, "-UNDEBUG");
    if (same(last, "-Ofast")) push(command, "-ffast-math");
    if (!same(last, "-Ofast") && !same(last, "-O3")) return;
    push(command, "-Xclang"); /* past Zig */
    push(command, "-O3");
}

static int compile(bool cxx, bool for_build, const list *in) {
    bool linking = links(in) && in->count;
    /* Zig links libc++ where it compiles C++; gcc links libstdc++ under the name g++ alone. */
    list command = has_gcc() && !for_build ? clang_command(cxx) : zig_command(cxx || wants_cxx(in), for_build);
    cxx = cxx || wants_cxx(in);
    if (for_build) return compile_for_build(&command, in);
    if (is_asked(in, "-c") && count_sources(in) > 1) return compile_each(cxx, in);
    refuse_openmp(in);
    if (!links_objects(in)) refuse_what_only_gcc_does(in);
    if (!conf.debug) push(&command, "-g0");
    if (conf.folder) {
        char map[PATH_MAX + 32];
        snprintf(map, sizeof map, "-ffile-prefix-map=%s=.", conf.folder);
        push(&command, map);
    }
    if (!links_objects(in)) push_leniency(&command, cxx, in);
    if (!links_objects(in)) push_frame_pointer(&command, in);
    const char *contraction = gcc_contraction((int)in->count, in->items, cxx);
    if (!links_objects(in) && contraction) push(&command, contraction);
    if (!links_objects(in) && !has_gcc()) push_optimisation(&command, in);
    translate(&command, in);
    if (!links_objects(in)) push_all(&command, gcc_finite((int)in->count, in->items));
    /* After everything else: the target's libc headers are Zig's, of the policy's version, not the sysroot's. */
    for (size_t i = 0; i < conf.includes.count; i++) {
        push(&command, "-idirafter");
        push(&command, conf.includes.items[i]);
    }
    if (linking && conf.runtime && !has_gcc()) {
        push(&command, "-Wl,--as-needed");
        push(&command, conf.runtime);
        push(&command, "-Wl,--no-as-needed");
    }
    if (linking) {
        for (size_t i = 0; i < conf.libs.count; i++) push_joined(&command, "-L", conf.libs.items[i]);
        if (!conf.debug) push(&command, "-s");
    }
    list keeping = linking ? keeping_of(&command) : (list){0};
    for (size_t i = 0; i < keeping.count; i++) {
        if (has_gcc()) push(&command, "-Xlinker");
        push(has_gcc() ? &command : &for_lld, keeping.items[i]);
    }
    if (linking && has_assembler(in) && !has_gcc()) push(&for_lld, "-O0");
    if (getenv("ZIGCC_PRINT")) return print(&command);
    if (has_gcc()) return linking ? run(&command) : compile_object(&command, in);
    if (linking) return is_asked(in, "-###") ? show(&command) : for_lld.count ? link_by_lld(&command) : run(&command);
    if (needs_clang(in)) return run_clang(&command);
    return is_asked(in, "-c") && has_assembler(in) ? assemble(&command, in) : compile_object(&command, in);
}

int main(int argc, char **argv) {
    char *name = basename(argv[0]);
    read_conf();
    list in = {0};
    for (int i = 1; i < argc; i++) expand(&in, argv[i], 0);
    if (same(name, "zig-cc")) return run_tool("cc", argc, argv); /* as ccache calls it */
    if (same(name, "zig-c++")) return run_tool("c++", argc, argv);
    if (same(name, "zig-clang")) return run_tool("clang", argc, argv);
    if (same(name, "build-cc")) return compile(false, true, &in);
    if (same(name, "build-c++")) return compile(true, true, &in);
    char *dash = strrchr(name, '-');
    if (dash) name = dash + 1; /* aarch64-linux-gnu-gcc */
    if (same(name, "ar")) return run_tool("ar", argc, argv);
    if (same(name, "ranlib")) return run_tool("ranlib", argc, argv);
    if (same(name, "ld") || same(name, "ld.lld")) return run_linker(argc, argv);
    if (same(name, "strip")) return 0;
    bool cxx = strstr(name, "++") != NULL;
    in = as_compiler(name, &in);
    int code = answer(cxx, &in);
    if (code >= 0) return code;
    note_what_lacks();
    return compile(cxx, false, &in);
}
