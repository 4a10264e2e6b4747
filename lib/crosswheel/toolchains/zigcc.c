/* zigcc: Zig's clang behind the names and flags that build systems use.
 *
 * Called as cc, c++, gcc, g++, clang, clang++ (with or without a "triple-" in front) it translates the arguments and
 * runs `zig cc` or `zig c++` for the target of its configuration; as build-cc and build-c++ for the machine it runs on;
 * as ar, ranlib and ld it runs Zig's; as strip it does nothing, for what it links is stripped already.
 *
 * Configuration: the file zigcc.conf beside the folder this program lies in, a "key value" a line:
 *   zig PATH            the Zig program
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
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct { char **items; size_t count, room; } list;

static void *checked(void *memory) {
    if (!memory) { fputs("zigcc: out of memory\n", stderr); exit(1); }
    return memory;
}

static void push(list *to, const char *text) {
    if (to->count + 1 >= to->room) {
        to->room = to->room ? to->room * 2 : 64;
        to->items = checked(realloc(to->items, to->room * sizeof *to->items));
    }
    to->items[to->count++] = checked(strdup(text));
    to->items[to->count] = NULL;
}

static void push_joined(list *to, const char *head, const char *tail) {
    char *text = checked(malloc(strlen(head) + strlen(tail) + 1));
    push(to, strcat(strcpy(text, head), tail));
    free(text);
}

static bool starts(const char *text, const char *prefix) { return strncmp(text, prefix, strlen(prefix)) == 0; }
static bool same(const char *a, const char *b) { return strcmp(a, b) == 0; }

static bool starts_any(const char *text, const char *const *prefixes) {
    for (; *prefixes; prefixes++) if (starts(text, *prefixes)) return true;
    return false;
}

static bool among(const char *text, const char *const *words) {
    for (; *words; words++) if (same(text, *words)) return true;
    return false;
}

/* ---- configuration ------------------------------------------------------------------------------------------- */

static struct {
    const char *zig, *cache, *objects, *compiles, *folder, *target, *build_target, *multiarch;
    bool debug;
    list hidden, mapped_from, mapped_to, includes, libs;
} conf;

static void read_conf(void) {
    char path[PATH_MAX + 16], line[3 * PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);
    if (length < 0) { perror("zigcc: /proc/self/exe"); exit(1); }
    path[length] = 0;
    char *folder = dirname(dirname(path));
    char name[PATH_MAX + 32];
    snprintf(name, sizeof name, "%s/zigcc.conf", folder);
    FILE *file = fopen(name, "r");
    if (!file) { fprintf(stderr, "zigcc: %s: %s\n", name, strerror(errno)); exit(1); }
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        char *value = strchr(line, ' ');
        if (!value) continue;
        *value++ = 0;
        if (same(line, "zig")) conf.zig = checked(strdup(value));
        else if (same(line, "cache")) conf.cache = checked(strdup(value));
        else if (same(line, "objects")) conf.objects = checked(strdup(value));
        else if (same(line, "compiles")) conf.compiles = checked(strdup(value));
        else if (same(line, "folder")) conf.folder = checked(strdup(value));
        else if (same(line, "target")) conf.target = checked(strdup(value));
        else if (same(line, "build-target")) conf.build_target = checked(strdup(value));
        else if (same(line, "multiarch")) conf.multiarch = checked(strdup(value));
        else if (same(line, "debug")) conf.debug = same(value, "yes");
        else if (same(line, "hide")) push(&conf.hidden, value);
        else if (same(line, "include")) push(&conf.includes, value);
        else if (same(line, "lib")) push(&conf.libs, value);
        else if (same(line, "map")) {
            char *new = strchr(value, ' ');
            if (!new) continue;
            *new++ = 0;
            push(&conf.mapped_from, value);
            push(&conf.mapped_to, new);
        }
    }
    fclose(file);
    if (!conf.zig || !conf.cache || !conf.target || !conf.build_target) {
        fprintf(stderr, "zigcc: %s lacks zig, cache, target or build-target\n", name);
        exit(1);
    }
}

/* ---- folders of this machine --------------------------------------------------------------------------------- */

static bool under(const char *path, const char *folder) {
    size_t length = strlen(folder);
    return starts(path, folder) && (path[length] == '/' || path[length] == 0);
}

/* As `folder_for_target`, by this one spelling of the folder. */
static const char *judge_folder(const char *asked) {
    static char buffer[2 * PATH_MAX];
    for (size_t i = 0; i < conf.mapped_from.count; i++)
        if (under(asked, conf.mapped_from.items[i])) {
            const char *rest = asked + strlen(conf.mapped_from.items[i]);
            snprintf(buffer, sizeof buffer, "%s%s", conf.mapped_to.items[i], rest);
            return buffer;
        }
    /* What is under a folder of the target's own may be under a hidden one too: a sysroot below /usr, say. */
    for (size_t i = 0; i < conf.includes.count; i++) if (under(asked, conf.includes.items[i])) return asked;
    for (size_t i = 0; i < conf.libs.count; i++) if (under(asked, conf.libs.items[i])) return asked;
    for (size_t i = 0; i < conf.hidden.count; i++) if (under(asked, conf.hidden.items[i])) return NULL;
    return asked;
}

/* The folder to use for one that was asked for: the target's in its place, the same, or NULL for none. */
static const char *folder_for_target(const char *asked) {
    static char real[PATH_MAX];
    const char *judged = judge_folder(asked);
    if (judged != asked || !realpath(asked, real)) return judged;
    /* /usr//include, /opt/x/../../usr/include, or a link to it, as old virtual environments have. */
    judged = judge_folder(real);
    return judged == real ? asked : judged;
}

/* ---- one flag at a time -------------------------------------------------------------------------------------- */

static const char *const dropped[] = {
    "-static-libgcc", "-static-libstdc++", "-latomic", "-lgcc", "-pipe", "-m64", "-ffat-lto-objects",
    "-fno-fat-lto-objects", "-fuse-linker-plugin", "-fno-semantic-interposition", "-march=native", "-mcpu=native",
    "-fno-lifetime-dse", "-fvar-tracking", "-fno-var-tracking", "-fvar-tracking-assignments",
    "-fno-var-tracking-assignments", "-fno-plt", "-fcf-protection", "-mbranch-protection=standard", "-s", NULL,
};
/* -g...: debug information; the rest names gcc's own parts, or a target and a linker that are not ours to choose. */
static const char *const dropped_prefixes[] = {
    "-mtune=", "-specs=", "--target=", "-fuse-ld=", "--gcc-toolchain=", "-R/", "-lpython3", "-fstack-clash",
    "-fcf-protection=", NULL,
};
/* Only -g flags are debug flags among those that start so; -gcc-... does not exist in one dash. */
static bool is_debug_flag(const char *flag) { return starts(flag, "-g") || starts(flag, "-fdebug-"); }

static const char *const linker_dropped[] = {
    "-Bsymbolic-functions", "-O0", "-O1", "-O2", "-s", "--strip-all", "-x", "--discard-all", "--no-copy-dt-needed-entries",
    "--copy-dt-needed-entries", "--fix-cortex-a53-835769", "--fix-cortex-a53-843419", "--warn-common", "--no-keep-memory",
    "--reduce-memory-overheads", "--relax", "--no-relax", "--push-state", "--pop-state", "--no-warn-mismatch", "--stats",
    "--traditional-format", "-t", "--trace", "--print-map", "-M", "-zpack-relative-relocs", "-zseparate-code",
    "-zcombreloc", "--cref", "--verbose", "--no-export-dynamic", "--discard-none", "--ld-generated-unwind-info",
    "--no-ld-generated-unwind-info", NULL,
};
static const char *const z_dropped[] = {"pack-relative-relocs", "separate-code", "combreloc", NULL};
static const char *const linker_dropped_prefixes[] = {
    "--exclude-libs=", "-Map=", "--Map=", "-plugin", "--hash-size", "--fix-", "--package-metadata",
    "--icf=", "--orphan-handling=", "-rpath-link=", "--rpath-link=", "--threads", "--no-threads", "--demangle",
    "--no-demangle", "--error-limit=", "-zmax-page-size=", NULL,
};
static const char *const linker_dropped_pairs[] = {
    "--exclude-libs", "-Map", "--Map", "-rpath-link", "--rpath-link", NULL,
};
static const char *const rpath_words[] = {"-rpath", "--rpath", "-R", NULL};
static const char *const rpath_joined[] = {"-rpath=", "--rpath=", NULL};

static bool is_relative_to_origin(const char *entry) { return under(entry, "$ORIGIN") || under(entry, "${ORIGIN}"); }

/* -rpath with what is relative to the wheel's own files: the other entries name folders of this machine. */
static void push_rpath(list *kept, const char *value) {
    char *copy = checked(strdup(value)), *stays = checked(calloc(strlen(value) + 1, 1)), *state = NULL;
    for (char *entry = strtok_r(copy, ":", &state); entry; entry = strtok_r(NULL, ":", &state))
        if (is_relative_to_origin(entry)) strcat(*stays ? strcat(stays, ":") : stays, entry);
    if (*stays) { push(kept, "-rpath"); push(kept, stays); }
    free(copy);
    free(stays);
}

/* One word of the linker's: appended to `kept` unless it is dropped. Gives how many words it took, its value included. */
static size_t translate_linker_word(list *kept, const char *word, const char *value) {
    if (among(word, rpath_words)) {
        if (value) push_rpath(kept, value);
        return 2;
    }
    if (among(word, linker_dropped_pairs)) return 2;
    if (same(word, "-z") && value) {
        if (!among(value, z_dropped) && !starts(value, "max-page-size=")) { push(kept, word); push(kept, value); }
        return 2;
    }
    if (same(word, "-h") && value) { push(kept, "-soname"); push(kept, value); return 2; }
    if (starts_any(word, rpath_joined)) { push_rpath(kept, strchr(word, '=') + 1); return 1; }
    if (starts(word, "-R")) { push_rpath(kept, word + 2); return 1; }
    if (among(word, linker_dropped) || starts_any(word, linker_dropped_prefixes)) return 1;
    push(kept, word);
    return 1;
}

static void split(list *to, const char *words) {
    char *copy = checked(strdup(words)), *state = NULL;
    for (char *word = strtok_r(copy, ",", &state); word; word = strtok_r(NULL, ",", &state)) push(to, word);
    free(copy);
}

/* -L of the linker's is the driver's own, which Zig wants it to be. Gives how many words it took, 0 if it is none. */
static size_t translate_linker_folder(list *out, const char *word, const char *value) {
    bool alone = same(word, "-L") || same(word, "--library-path");
    const char *asked = alone ? value : starts(word, "-L") ? word + 2 : NULL;
    if (starts(word, "--library-path=")) asked = strchr(word, '=') + 1;
    if (!asked) return 0;
    const char *folder = folder_for_target(asked);
    if (folder) push_joined(out, "-L", folder);
    return alone ? 2 : 1;
}

/* -Wl,a,b and -Xlinker c: neighbours are one line of words, for libtool writes -Wl,-rpath -Wl,/folder.
 * Gives how many arguments it took. */
static size_t translate_linker_words(list *out, const list *in, size_t at) {
    list words = {0}, kept = {0};
    size_t next = at;
    for (; next < in->count; next++) {
        if (starts(in->items[next], "-Wl,")) split(&words, in->items[next] + strlen("-Wl,"));
        else if (!same(in->items[next], "-Xlinker")) break;
        else if (next + 1 < in->count) push(&words, in->items[++next]);
    }
    for (size_t i = 0; i < words.count;) {
        const char *value = i + 1 < words.count ? words.items[i + 1] : NULL;
        size_t taken = translate_linker_folder(out, words.items[i], value);
        i += taken ? taken : translate_linker_word(&kept, words.items[i], value);
    }
    for (size_t i = 0; i < kept.count; i++) { push(out, "-Xlinker"); push(out, kept.items[i]); }
    return next - at;
}

/* gcc's names of Arm extensions, where LLVM's differ. */
static const char *arm_feature(const char *name) {
    static const char *const renamed[][2] = {
        {"fp16", "fullfp16"}, {"simd", "neon"}, {"fp", "fp_armv8"}, {"rng", "rand"}, {"memtag", "mte"},
        {"profile", "spe"}, {"rdma", "rdm"},
    };
    for (size_t i = 0; i < sizeof renamed / sizeof *renamed; i++) if (same(name, renamed[i][0])) return renamed[i][1];
    return name;
}

static void underscore(char *text) {
    for (; *text; text++) if (*text == '-') *text = '_';
}

/* -march=armv8.2-a+crc+fp16 becomes Zig's -mcpu=generic+v8_2a+crc+fullfp16; -mcpu=cortex-a72+nocrypto likewise. */
static void translate_arm(list *out, const char *cpu) {
    char text[512] = "generic", *copy = checked(strdup(cpu)), *state = NULL;
    for (char *word = strtok_r(copy, "+", &state); word; word = strtok_r(NULL, "+", &state)) {
        char name[64], sign = '+';
        int major = 0, minor = 0;
        if (sscanf(word, "armv%2d.%2d", &major, &minor) >= 1) {
            if (major == 8 && minor == 0) continue;
            snprintf(name, sizeof name, minor ? "v%d_%da" : "v%da", major, minor);
        } else if (word == copy) { snprintf(text, sizeof text, "%s", word); underscore(text); continue; }
        else if (starts(word, "no")) { sign = '-'; snprintf(name, sizeof name, "%s", arm_feature(word + 2)); }
        else snprintf(name, sizeof name, "%s", arm_feature(word));
        underscore(name);
        size_t length = strlen(text);
        snprintf(text + length, sizeof text - length, "%c%s", sign, name);
    }
    push_joined(out, "-mcpu=", text);
    free(copy);
}

/* Where a wheel's baseline is not ours to choose, Zig's own is that of Linux distributions: armv7-a, rv64gc. */
static void translate_cpu(list *out, const char *flag) {
    const char *cpu = strchr(flag, '=') + 1;
    bool march = starts(flag, "-march=");
    if (starts(conf.target, "aarch64")) { translate_arm(out, cpu); return; }
    if (starts(conf.target, "riscv64") || (march && starts(conf.target, "arm"))) return;
    char text[512];
    bool power = starts(cpu, "power");
    snprintf(text, sizeof text, "%s%s", power ? "pwr" : "", power ? cpu + strlen("power") : cpu);
    underscore(text);
    push_joined(out, "-mcpu=", text);
}

/* ---- the whole command line ---------------------------------------------------------------------------------- */

static bool ends_among(const char *word, const char *const *endings) {
    const char *dot = strrchr(word, '.');
    return word[0] != '-' && dot && among(dot, endings);
}

static bool is_cxx_source(const char *word) {
    static const char *const endings[] = {".cc", ".cp", ".cxx", ".cpp", ".CPP", ".c++", ".C", ".ii", NULL};
    return ends_among(word, endings);
}

static bool is_source(const char *word) {
    static const char *const endings[] = {".c", ".i", ".m", ".s", ".S", NULL};
    return is_cxx_source(word) || ends_among(word, endings);
}

static bool speaks_of_time(const char *path) {
    static const char *const macros[] = {"__DATE__", "__TIME__", NULL};
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    bool found = false;
    while (file && !found && getline(&line, &room, file) >= 0)
        for (size_t i = 0; macros[i]; i++) found = found || strstr(line, macros[i]);
    free(line);
    if (file) fclose(file);
    return found;
}

/* Zig takes these macros for an error, for its cache does not know the time. They mean SOURCE_DATE_EPOCH, and with that
 * among the words an object of another time is another object. */
static void date(list *command, const list *in) {
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    for (size_t i = 0; i < in->count && epoch; i++)
        if (is_source(in->items[i]) && speaks_of_time(in->items[i])) {
            push(command, "-Wno-error=date-time");
            push_joined(command, "-DZIGCC_EPOCH=", epoch);
            return;
        }
}

static bool wants_cxx(const list *in) {
    for (size_t i = 0; i < in->count; i++) {
        const char *word = in->items[i];
        if (same(word, "-o")) { i++; continue; }
        if (is_cxx_source(word) || starts(word, "-std=c++") || starts(word, "-std=gnu++")) return true;
        if (same(word, "-lstdc++") || same(word, "-lc++") || starts(word, "-xc++")) return true;
        if (same(word, "-x") && i + 1 < in->count && starts(in->items[i + 1], "c++")) return true;
    }
    return false;
}

static bool links(const list *in) {
    static const char *const stages[] = {"-c", "-S", "-E", "-M", "-MM", "-fsyntax-only", NULL};
    for (size_t i = 0; i < in->count; i++) if (among(in->items[i], stages)) return false;
    return true;
}

/* Whether there is nothing to compile before the link. */
static bool links_objects(const list *in) {
    for (size_t i = 0; i < in->count; i++) if (is_source(in->items[i])) return false;
    return links(in);
}

/* Zig builds its runtimes anew for these, libc++ among them: a minute for what code that is compiled has no use for. */
static bool is_for_compiling(const char *word) {
    static const char *const flags[] = {
        "-Os", "-Oz", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables", NULL,
    };
    return among(word, flags) || starts(word, "-march=") || starts(word, "-mcpu=");
}

/* -I dir, -Idir, -isystem dir, -L dir: dropped, replaced or kept. Gives how many words it took, 0 if it is none. */
static size_t translate_folder(list *out, const char *word, const char *next) {
    static const char *const flags[] = {"-isystem", "-idirafter", "-iquote", "-I", "-L", NULL};
    static const char *const roots[] = {"-isysroot", "--sysroot", NULL};
    for (const char *const *root = roots; *root; root++)
        if (starts(word, *root)) return word[strlen(*root)] || !next ? 1 : 2; /* Zig brings its own libc */
    for (const char *const *flag = flags; *flag; flag++) {
        if (!starts(word, *flag)) continue;
        bool joined = word[strlen(*flag)];
        if (!joined && !next) return 0;
        const char *folder = folder_for_target(joined ? word + strlen(*flag) : next);
        if (folder && joined) push_joined(out, *flag, folder);
        else if (folder) { push(out, *flag); push(out, folder); }
        return joined ? 1 : 2;
    }
    return 0;
}

/* -Wp,-DNAME,-UNAME: what is defined goes to the driver; undefining is distributions' way to change their own flags. */
static void translate_preprocessor_words(list *out, const char *words) {
    list all = {0};
    split(&all, words);
    for (size_t i = 0; i < all.count; i++) if (!starts(all.items[i], "-U")) push(out, all.items[i]);
}

/* -flto=auto and -flto=8 are gcc's. At the link the flag is left out: the linker knows bitcode when it sees it, and Zig
 * would build a second libc++ for the flag, a minute on every machine. */
static void translate_lto(list *out, const char *word, bool linking) {
    if (!linking) push(out, same(word, "-flto=thin") ? word : "-flto");
}

static void translate(list *out, const list *in) {
    bool linking = links(in), only_objects = links_objects(in);
    for (size_t i = 0; i < in->count; i++) {
        const char *word = in->items[i], *next = i + 1 < in->count ? in->items[i + 1] : NULL;
        size_t taken = translate_folder(out, word, next);
        if (taken) { i += taken - 1; continue; }
        if (same(word, "-Xlinker") || starts(word, "-Wl,")) i += translate_linker_words(out, in, i) - 1;
        else if (same(word, "-target") || same(word, "-R") || same(word, "-rpath")) i++;
        else if (starts(word, "-Wp,-D") || starts(word, "-Wp,-U"))
            translate_preprocessor_words(out, word + strlen("-Wp,"));
        else if (!conf.debug && is_debug_flag(word)) continue;
        else if (only_objects && is_for_compiling(word)) continue;
        else if (starts(word, "-flto")) translate_lto(out, word, linking);
        else if (same(word, "-lgcc_s")) push(out, "-lunwind");
        else if (same(word, "-lstdc++")) continue; /* c++ links its own */
        else if (among(word, dropped) || starts_any(word, dropped_prefixes)) continue;
        else if (starts(word, "-march=") || starts(word, "-mcpu=")) translate_cpu(out, word);
        else push(out, word);
    }
}

/* @file: the words in it, quoted as gcc documents it; files may name files, though not for ever. */
static void expand(list *out, const char *word, int depth) {
    FILE *file = word[0] == '@' ? fopen(word + 1, "r") : NULL;
    if (!file) { push(out, word); return; }
    if (depth > 20) { fprintf(stderr, "zigcc: %s: files name each other for ever\n", word); exit(1); }
    char *text = NULL;
    size_t room = 0, length = 0;
    bool inside = false;
    for (int c = fgetc(file), quote = 0;; c = fgetc(file)) {
        if (length + 2 > room) text = checked(realloc(text, room = room ? room * 2 : 256));
        if (c == EOF || (!quote && (c == ' ' || c == '\t' || c == '\n' || c == '\r'))) {
            if (inside) { text[length] = 0; expand(out, text, depth + 1); }
            length = 0;
            inside = false;
            if (c == EOF) break;
            continue;
        }
        inside = true;
        if (c == '\\') { /* stands for the character after it, in quotes of either kind too */
            int next = fgetc(file);
            if (next != EOF) text[length++] = (char)next;
        }
        else if (quote ? c == quote : (c == '"' || c == '\'')) quote = quote ? 0 : c;
        else text[length++] = (char)c;
    }
    free(text);
    fclose(file);
}

static int run(const list *command) {
    if (getenv("ZIGCC_PRINT")) { /* for those who want to know, tests among them */
        for (size_t i = 1; i < command->count; i++) puts(command->items[i]);
        return 0;
    }
    setenv("ZIG_GLOBAL_CACHE_DIR", conf.cache, 1);
    setenv("ZIG_LOCAL_CACHE_DIR", conf.objects ? conf.objects : conf.cache, 1);
    execv(conf.zig, command->items);
    fprintf(stderr, "zigcc: %s: %s\n", conf.zig, strerror(errno));
    return 127;
}

/* Run, and come back: the exit code. */
static int run_and_wait(const list *command, bool quiet) {
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) { perror("zigcc: fork"); exit(1); }
    if (!child) {
        int nowhere = quiet ? open("/dev/null", O_WRONLY) : -1;
        if (nowhere >= 0) { dup2(nowhere, STDOUT_FILENO); dup2(nowhere, STDERR_FILENO); }
        _exit(run(command));
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0) if (errno != EINTR) { perror("zigcc: waitpid"); exit(1); }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run_tool(const char *tool, int argc, char **argv) {
    list command = {0};
    push(&command, conf.zig);
    push(&command, tool);
    for (int i = 1; i < argc; i++) push(&command, argv[i]);
    return run(&command);
}

/* Zig carries no OpenMP runtime: the pragmas would compile, and leave symbols undefined that no libc has. */
static void refuse_openmp(const list *in) {
    for (size_t i = 0; i < in->count; i++)
        if (same(in->items[i], "-fopenmp") || starts(in->items[i], "-fopenmp=")) { /* -fopenmp-simd needs none */
            fprintf(stderr, "zigcc: error: unsupported option '%s': no OpenMP runtime for this target\n", in->items[i]);
            exit(1);
        }
}

/* ---- one compile, out of the cache if it was done before ------------------------------------------------------- */

/* One source that becomes one object, and the dependency file that was asked for with it.
 *
 * Zig's cache has three peculiarities (0.17.1). It compiles anew whatever asks for a dependency file: `words` are
 * without it, and we write it, from what the compile that filled the cache had included. That clang tells by
 * CC_PRINT_HEADERS_FILE; where it has told nothing it was not called, and the cache had the object. It compiles anew
 * where the source has another inode or time, whatever is in it, but judges headers by what is in them: the source is
 * included by an empty file that stays. And it knows relative folders by their names alone: that file's name is made
 * from the folder too. */
typedef struct { const char *source, *object, *depfile, *target; list words; } unit;

/* False where it is anything else, or is asked for in another way. */
static bool read_unit(unit *one, const list *in) {
    static const char *const others[] = {"-E", "-S", "-M", "-MM", "-MG", "-fsyntax-only", NULL};
    static const char *const others_still[] = {".i", ".ii", ".s", ".m", NULL};
    bool compiles = false, depends = false;
    for (size_t i = 0; i < in->count; i++) {
        const char *word = in->items[i], *next = i + 1 < in->count ? in->items[i + 1] : NULL;
        if (among(word, others)) return false;
        if (same(word, "-MD") || same(word, "-MMD")) { depends = true; continue; }
        if (same(word, "-MP")) continue;
        if (same(word, "-MF") && next && !one->depfile) { one->depfile = next; i++; continue; }
        if ((same(word, "-MT") || same(word, "-MQ")) && next && !one->target) { one->target = next; i++; continue; }
        if (starts(word, "-MF") || starts(word, "-MT") || starts(word, "-MQ") || starts(word, "-Wp,-M")) return false;
        push(&one->words, word);
        if (same(word, "-c")) compiles = true;
        if (same(word, "-o") && next) { one->object = next; push(&one->words, next); i++; continue; }
        if (!is_source(word)) continue;
        if (one->source || ends_among(word, others_still)) return false;
        one->source = word;
    }
    if (!compiles || !one->source || !one->object || (depends && !one->depfile)) return false;
    if (!depends) one->depfile = NULL;
    if (!one->target) one->target = one->object;
    return true;
}

static uint64_t mix(uint64_t sum, const char *text) { /* FNV-1a, of the end of the text too */
    do sum = (sum ^ (unsigned char)*text) * 1099511628211u; while (*text++);
    return sum;
}

/* A name for the compile, the same in every run: of its folder, its source's path, and the command but for the output. */
static uint64_t name_of(const list *command, const char *source) {
    char folder[PATH_MAX];
    uint64_t sum = mix(14695981039346656037u, getcwd(folder, sizeof folder) ? folder : "");
    sum = mix(sum, source);
    for (size_t i = 0; i < command->count; i++) {
        if (same(command->items[i], "-o")) i++;
        else sum = mix(sum, command->items[i]);
    }
    return sum;
}

/* What configure scripts, Meson and CMake compile to see whether it can be; CMake has some of it among its own files. */
static bool is_check(const char *path) {
    static const char *const signs[] = {
        "/conftest", "/_configtest", "/testfile.", "/meson-private/", "/CMakeScratch/", "/CMakeTmp/", "/CompilerId", NULL,
    };
    for (const char *const *sign = signs; *sign; sign++) if (strstr(path, *sign)) return true;
    return false;
}

static void count(const char *source, bool hit) {
    char folder[PATH_MAX];
    bool checks = is_check(source) || (getcwd(folder, sizeof folder) && is_check(folder));
    int file = conf.compiles && !checks ? open(conf.compiles, O_WRONLY | O_APPEND | O_CREAT, 0666) : -1;
    if (file < 0) return;
    if (write(file, hit ? "h" : "m", 1) != 1) perror("zigcc: counting a compile");
    close(file);
}

/* What clang has told becomes `kept`, without the headers that are Zig's own. */
static void keep_headers(const char *told, const char *kept) {
    char line[2 * PATH_MAX], own[PATH_MAX], partial[2 * PATH_MAX];
    snprintf(own, sizeof own, "%s", conf.zig);
    dirname(own);
    snprintf(partial, sizeof partial, "%s.kept", told);
    FILE *from = fopen(told, "r"), *to = from ? fopen(partial, "w") : NULL;
    while (to && fgets(line, sizeof line, from)) if (!starts(line, own)) fputs(line, to);
    if (from) fclose(from);
    if (to && fclose(to) == 0) rename(partial, kept);
    unlink(told);
}

static void write_name(FILE *to, const char *name) {
    for (; *name && *name != '\n'; name++) {
        if (strchr(" \\#", *name)) fputc('\\', to);
        if (*name == '$') fputc('$', to);
        fputc(*name, to);
    }
}

static void write_depfile(const unit *one, const char *headers) {
    char line[2 * PATH_MAX];
    FILE *to = fopen(one->depfile, "w"), *from = fopen(headers, "r");
    if (!to) { fprintf(stderr, "zigcc: %s: %s\n", one->depfile, strerror(errno)); exit(1); }
    write_name(to, one->target);
    fputs(": ", to);
    write_name(to, one->source);
    while (from && fgets(line, sizeof line, from)) { fputs(" \\\n ", to); write_name(to, line); }
    fputc('\n', to);
    if (from) fclose(from);
    fclose(to);
}

/* The command with the source included by `stays`. Its ending says which language. */
static list include_source(const list *command, const unit *one, const char *stays) {
    list included = {0};
    for (size_t i = 0; i < command->count; i++) {
        bool is_it = same(command->items[i], one->source);
        if (is_it) push(&included, "-include");
        push(&included, command->items[i]);
        if (is_it) push(&included, stays);
    }
    int file = open(stays, O_WRONLY | O_CREAT, 0666);
    if (file < 0) { fprintf(stderr, "zigcc: %s: %s\n", stays, strerror(errno)); exit(1); }
    close(file);
    return included;
}

static int compile_unit(const unit *one, const list *command) {
    char source[PATH_MAX], kept[PATH_MAX + 64], stays[PATH_MAX + 128], told[PATH_MAX + 96];
    if (getenv("ZIGCC_PRINT") || !realpath(one->source, source)) return run(command); /* Zig has the words for it */
    snprintf(kept, sizeof kept, "%s/headers/%016llx", conf.objects, (unsigned long long)name_of(command, source));
    snprintf(stays, sizeof stays, "%s%s", kept, is_cxx_source(one->source) ? ".cpp" : strrchr(one->source, '.'));
    snprintf(told, sizeof told, "%s.%ld", kept, (long)getpid());
    setenv("CC_PRINT_HEADERS", "1", 1);
    setenv("CC_PRINT_HEADERS_FILE", told, 1);
    list included = conf.debug ? *command : include_source(command, one, stays);
    int code = run_and_wait(&included, false);
    bool hit = access(told, F_OK) != 0;
    if (code) { unlink(told); return code; }
    if (!hit) keep_headers(told, kept);
    if (one->depfile) write_depfile(one, kept);
    count(source, hit);
    return 0;
}

/* For the machine that this runs on: generators, and what Meson tries its compiler with. That needs nothing of libc++,
 * which Zig would build for it, a minute on every machine: it is linked only where it does not go without. */
static int compile_for_build(list *command, const list *in) {
    push(command, "-g0");
    for (size_t i = 0; i < in->count; i++) if (!is_debug_flag(in->items[i])) push(command, in->items[i]);
    if (!links(in) || !in->count) return run(command);
    push(command, "-s"); /* as the runtimes are that the driver was compiled with */
    if (same(command->items[1], "c++") && !getenv("ZIGCC_PRINT")) {
        list without = {0};
        for (size_t i = 0; i < command->count; i++) push(&without, command->items[i]);
        push(&without, "-nostdlib++");
        if (run_and_wait(&without, true) == 0) return 0;
    }
    return run(command);
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
