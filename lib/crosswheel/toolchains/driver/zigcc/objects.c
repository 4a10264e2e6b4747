/* One compile of a source to an object, by ccache where there is one.
 *
 * ccache runs `zig-cc`, this program under another name, with the words that Zig gets without ccache: what is compiled
 * never depends on the cache. Every such compile asks for a dependency file. ccache learns from it what was included,
 * and Zig then has clang write the object itself: without one it would keep it in a cache of its own, which counts a
 * file as unchanged by inode, size and time, and write it anew from there. */
#include "zigcc.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What configure scripts, Meson and CMake compile to see whether it can be; CMake has some of it among its own files. */
static bool is_check(const char *path) {
    static const char *const signs[] = {
        "/conftest",      "/_configtest", "/testfile.",  "/meson-private/",
        "/CMakeScratch/", "/CMakeTmp/",   "/CompilerId", NULL,
    };
    for (const char *const *sign = signs; *sign; sign++)
        if (strstr(path, *sign)) return true;
    return false;
}

/* The only source among the words, whose object and nothing else is asked for; NULL where it is anything else. */
static const char *only_source(const list *in) {
    static const char *const other_stages[] = {"-E", "-S", "-M", "-MM", "-fsyntax-only", "-###", "-", NULL};
    const char *source = NULL;
    bool compiles = false;
    for (size_t i = 0; i < in->count; i++) {
        const char *word = in->items[i];
        if (among(word, other_stages)) return NULL;
        if (same(word, "-c")) compiles = true;
        if (takes_value(word)) {
            i++;
            continue;
        }
        if (!is_source(word)) continue;
        if (source) return NULL;
        source = word;
    }
    static const char *const assembled[] = {".s", NULL};
    return compiles && source && !ends_among(source, assembled) ? source : NULL;
}

/* Adds what asks for a dependency file, unless the command does so itself. Gives whether it will name every header. */
static bool ask_for_dependencies(list *command) {
    char path[PATH_MAX] = "/dev/null";
    bool all = false, some = false;
    for (size_t i = 0; i < command->count; i++) {
        all = all || same(command->items[i], "-MD");
        some = some || starts(command->items[i], "-M");
    }
    if (some) return all;
    if (conf.ccache) snprintf(path, sizeof path, "%s/%ld.d", conf.objects ? conf.objects : conf.cache, (long)getpid());
    push(command, "-MD");
    push(command, "-MF");
    push(command, path);
    push(command, "-MT");
    push(command, "object");
    return true;
}

static bool is_to_be_counted(const char *source) {
    char path[PATH_MAX], folder[PATH_MAX];
    return !is_check(realpath(source, path) ? path : source) && !(getcwd(folder, sizeof folder) && is_check(folder));
}

/* As `run`. `in` are the words that the command was made of. */
int compile_object(list *command, const list *in) {
    const char *source = only_source(in);
    if (!source) return run(command);
    if (has_target_pragma(source)) return compile_with_target_pragmas(command, source);
    bool complete = ask_for_dependencies(command);
    if (!conf.ccache) return run(command);
    for (size_t i = 0; i < conf.settings.count; i++) putenv(conf.settings.items[i]);
    if (complete) setenv("CCACHE_DEPEND", "1", 1); /* the file says what the preprocessor would be asked for */
    if (!is_to_be_counted(source)) unsetenv("CCACHE_STATSLOG");
    list cached = {0};
    char compiler[2 * PATH_MAX];
    snprintf(compiler, sizeof compiler, "%s/zig-%s", conf.bin, command->items[1]);
    push(&cached, conf.ccache);
    push(&cached, compiler);
    for (size_t i = 2; i < command->count; i++) push(&cached, command->items[i]);
    return run(&cached);
}
