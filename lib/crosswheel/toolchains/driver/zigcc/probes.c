/* What builds ask of a compiler beside compiling: answered as gcc answers, where Zig's front does not. */
#include "zigcc.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The version of gcc that builds are to take this for, where they compare numbers to see what they may use: that of the
 * oldest gcc in an image of pypa's, manylinux2014's. __GNUC__ stays clang's 4.2, by which headers choose what clang can
 * read; a Makefile that read 4.2 here would leave out what clang has had for years. */
static const char MAJOR[] = "10", FULL[] = "10.2.1";

/* ---- files --------------------------------------------------------------------------------------------------- */

static const char *zig_library(void) {
    static char path[PATH_MAX + 8];
    if (conf.library) return conf.library;
    char *zig = checked(strdup(conf.zig));
    snprintf(path, sizeof path, "%s/lib", dirname(zig));
    free(zig);
    return path;
}

/* The words of a link of nothing, in which stand the files that Zig links by itself. */
static list linked(bool cxx) {
    list command = {0}, rest = {0};
    char output[PATH_MAX];
    snprintf(output, sizeof output, "%s/asked.so", conf.objects ? conf.objects : conf.cache);
    const char *const words[] = {
        conf.zig,
        cxx ? "c++" : "cc",
        "-target",
        conf.target,
        "-fno-sanitize=undefined",
        "-g0",
        "-fPIC",
        "-shared",
        "-s",
        "-x",
        "c",
        "/dev/null",
        "-o",
        output,
        NULL,
    };
    for (const char *const *word = words; *word; word++) push(&command, *word);
    return what_zig_runs(&command, "ZIG_VERBOSE_LINK", "ld.lld", &rest);
}

static const char *base(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* libm.so is libm.so.6 too: there are no links to it where Zig keeps its own. */
static const char *linked_file(const char *name, bool cxx) {
    list words = linked(cxx);
    for (size_t i = 0; i < words.count; i++) {
        const char *file = base(words.items[i]);
        if (starts(file, name) && (!file[strlen(name)] || file[strlen(name)] == '.')) return words.items[i];
    }
    return NULL;
}

/* With the gcc of an image: clang knows which files that has, and where. Does not come back. */
static void say_as_clang(const char *question, const char *value) {
    list command = {0};
    push(&command, conf.zig);
    push(&command, "clang");
    for (size_t i = 0; i < conf.clang.count; i++) push(&command, conf.clang.items[i]);
    push_joined(&command, question, value);
    exit(run(&command));
}

/* The path of a file that a link would find; the name alone where there is none, as gcc does. */
static void say_file(const char *name, bool cxx) {
    if (has_gcc()) say_as_clang("-print-file-name=", name);
    char path[2 * PATH_MAX];
    const char *found = NULL;
    for (size_t i = 0; i < conf.libs.count && !found; i++) {
        snprintf(path, sizeof path, "%s/%s", conf.libs.items[i], name);
        if (access(path, F_OK) == 0) found = path;
    }
    if (same(name, "include")) {
        snprintf(path, sizeof path, "%s/include", zig_library());
        found = path;
    } else if (!found) found = linked_file(same(name, "libgcc.a") ? "libcompiler_rt.a" : name, cxx);
    puts(found ? found : name);
}

static void say_program(const char *name, bool cxx) {
    char path[2 * PATH_MAX];
    (void)cxx;
    snprintf(path, sizeof path, "%s/%s", conf.bin, name);
    puts(access(path, X_OK) == 0 ? path : name);
}

static void say_folders(const char *value, bool cxx) {
    (void)value;
    if (has_gcc()) say_as_clang("-print-search-dirs", "");
    printf("install: %s/\nprograms: =%s\nlibraries: =", zig_library(), conf.bin);
    for (size_t i = 0; i < conf.libs.count; i++) printf("%s:", conf.libs.items[i]);
    const char *libc = linked_file("libc.so", cxx);
    char *copy = checked(strdup(libc ? libc : conf.bin));
    puts(libc ? dirname(copy) : copy);
    free(copy);
}

static void say_triple(const char *value, bool cxx) {
    (void)value;
    (void)cxx;
    puts(conf.multiarch ? conf.multiarch : conf.target);
}

static void say_libgcc(const char *value, bool cxx) {
    (void)value;
    say_file("libgcc.a", cxx);
}
static void say_library(const char *value, bool cxx) {
    (void)value;
    (void)cxx;
    puts(zig_library());
}

/* ---- questions ----------------------------------------------------------------------------------------------- */

/* With one dash or two; after = comes a value. What has neither `says` nor `how` is answered by nothing at all. */
static const struct {
    const char *question, *says;
    void (*how)(const char *value, bool cxx);
} questions[] = {
    {"dumpmachine", NULL, say_triple}, /* the name that the tools in PATH begin with */
    {"print-multiarch", NULL, say_triple},
    {"print-target-triple", NULL, say_triple},
    {"print-effective-triple", NULL, say_triple},
    {"dumpversion", MAJOR, NULL}, /* as gcc says it that was built --with-gcc-major-version-only */
    {"dumpfullversion", FULL, NULL},
    {"print-file-name=", NULL, say_file},
    {"print-prog-name=", NULL, say_program},
    {"print-libgcc-file-name", NULL, say_libgcc},
    {"print-search-dirs", NULL, say_folders},
    {"print-resource-dir", NULL, say_library},
    {"print-multi-lib", ".;", NULL},
    {"print-multi-directory", ".", NULL},
    {"print-multi-os-directory", "../lib", NULL},
    {"print-sysroot", NULL, NULL},
};

static bool has_inputs(const list *in) {
    for (size_t i = 0; i < in->count; i++) {
        if (takes_value(in->items[i])) i++;
        else if (in->items[i][0] != '-' || !in->items[i][1] || starts(in->items[i], "-l")) return true;
    }
    return false;
}

/* clang's own words, on stdout or stderr. */
static int say_version(int to) {
    list command = {0};
    push(&command, conf.zig);
    push(&command, "clang");
    push(&command, "--version");
    push_joined(&command, "--target=", conf.multiarch ? conf.multiarch : "");
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) {
        perror("zigcc: fork");
        exit(1);
    }
    if (!child) {
        dup2(to, STDOUT_FILENO);
        _exit(run(&command));
    }
    return wait_for(child);
}

static int say_all(void) {
    int code = say_version(STDERR_FILENO);
    fprintf(stderr, "gcc version %s (this is clang, which answers as manylinux2014's gcc)\n", FULL);
    return code;
}

/* Gives the exit code, or -1 where nothing was asked that is answered here. */
int answer(bool cxx, const list *in) {
    for (size_t i = 0; i < in->count; i++) {
        const char *word = in->items[i];
        if (takes_value(word)) {
            i++;
            continue;
        }
        if (same(word, "--version")) return say_version(STDOUT_FILENO);
        if (word[0] != '-') continue;
        const char *asked = word + (word[1] == '-' ? 2 : 1);
        for (size_t row = 0; row < sizeof questions / sizeof *questions; row++) {
            const char *question = questions[row].question;
            bool valued = question[strlen(question) - 1] == '=';
            if (valued ? !starts(asked, question) : !same(asked, question)) continue;
            if (questions[row].says) puts(questions[row].says);
            if (questions[row].how) questions[row].how(asked + strlen(question), cxx);
            return 0;
        }
    }
    static const char *const wordy[] = {"-v", "-###", NULL};
    for (size_t i = 0; i < in->count; i++)
        if (among(in->items[i], wordy) && !has_inputs(in)) return say_all();
    return -1;
}

/* -### of a link: what would be run. */
int show(const list *command) {
    say_all();
    for (size_t i = 0; i < command->count; i++) fprintf(stderr, " \"%s\"", command->items[i]);
    fputs("\n", stderr);
    return 0;
}
