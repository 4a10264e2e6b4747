/* The container's own compiler: the next program of that name in PATH. */
#include "driver.h"

#include "../shared/gcc.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Neither this program nor ccache; NULL where there is none. */
static char *found(const char *name) {
    char own[PATH_MAX], real[PATH_MAX], *folders = getenv("PATH");
    if (!folders || !realpath("/proc/self/exe", own)) return NULL;
    folders = strdup(folders);
    for (char *folder = strtok(folders, ":"); folder; folder = strtok(NULL, ":")) {
        char *path = joined(folder, name);
        if (access(path, X_OK) == 0 && realpath(path, real) && !is(real, own) && !is(strrchr(real, '/'), "/ccache"))
            return path;
        free(path);
    }
    return NULL;
}

/* What a build adds because it takes the compiler for clang. With LTO, objects of gcc would hold nothing that lld
 * reads, so they are of machine code. */
static bool is_dropped(const char *word) {
    static const char *const dropped[] = {
        "-flto*",
        "-fno-lto*",
        "-ffat-lto-objects",
        "-fno-fat-lto-objects",
        "-fcolor-diagnostics",
        "-fno-color-diagnostics",
        "-Qunused-arguments",
        "-stdlib=libstdc++",
        "-Weverything",
    };
    for (size_t i = 0; i < sizeof dropped / sizeof *dropped; i++)
        if (gcc_matches(dropped[i], strlen(dropped[i]), word)) return true;
    return false;
}

char **gcc_words(const command *given) {
    char *path = found(given->name);
    if (!path) return NULL;
    char **words = calloc(given->count + 2 + CONFIGURED, sizeof *words);
    int total = 0;
    words[total++] = path;
    for (int at = 1; at < given->count; at++)
        if (!is_dropped(given->words[at])) words[total++] = given->words[at];
    if (!asks(given)) configured(words + total, CONFIGURED, true);
    return words;
}
