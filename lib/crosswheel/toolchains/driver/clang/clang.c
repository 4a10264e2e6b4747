/* clang of the Docker host's machine, inside a container of another architecture.
 *
 * A static program that runs without the container's loader and without emulation. It stands in PATH under the names
 * of the container's compilers and starts the clang inside Zig with what makes it the container's own: its triple,
 * its gcc's folder (and so its libstdc++, headers and start files), lld as the linker. Those arguments are the lines
 * of CONFIGURATION; a line that begins with "> " goes after the caller's arguments.
 */
#include "../shared/gcc.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef CONFIGURATION
#define CONFIGURATION "/etc/crosswheel/clang"
#endif

static char *own_folder(void) {
    static char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0) {
        perror("crosswheel: /proc/self/exe");
        exit(127);
    }
    path[length] = 0;
    *strrchr(path, '/') = 0;
    return path;
}

static char *joined(const char *folder, const char *name) {
    char *path = malloc(strlen(folder) + strlen(name) + 2);
    sprintf(path, "%s/%s", folder, name);
    return path;
}

/* The whole file, or an empty text: clang alone still answers --version. */
static char *configuration(void) {
    FILE *file = fopen(CONFIGURATION, "r");
    static char text[16384];
    if (file) {
        text[fread(text, 1, sizeof text - 1, file)] = 0;
        fclose(file);
    }
    return text;
}

static int is(const char *name, const char *tool) { return strcmp(name, tool) == 0; }

/* What builds ask of a compiler beside compiling: the container's own gcc has the answers. */
static int is_question(const char *word) {
    static const char *const questions[] = {
        "-dumpmachine", "-dumpversion", "-dumpfullversion", "-dumpspecs", "-print-*", "--print-*",
    };
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
        if (gcc_matches(questions[i], strlen(questions[i]), word)) return 1;
    return 0;
}

/* -v or -### with nothing to compile asks for the version, too. */
static int asks(int count, char **words) {
    int verbose = 0, others = 0;
    for (int at = 1; at < count; at++) {
        if (is_question(words[at])) return 1;
        if (is(words[at], "-v") || is(words[at], "-###")) verbose = 1;
        else others = 1;
    }
    return verbose && !others;
}

/* Becomes the next program of this name in PATH that is neither this one nor ccache. Comes back where there is none. */
static void become_gcc(const char *name, char **given) {
    char own[PATH_MAX], real[PATH_MAX], *folders = getenv("PATH");
    if (!folders || !realpath("/proc/self/exe", own)) return;
    folders = strdup(folders);
    for (char *folder = strtok(folders, ":"); folder; folder = strtok(NULL, ":")) {
        char *path = joined(folder, name);
        if (access(path, X_OK) == 0 && realpath(path, real) && !is(real, own) && !is(strrchr(real, '/'), "/ccache"))
            execv(path, given);
        free(path);
    }
    free(folders);
}

int main(int count, char **given) {
    char *slash = strrchr(given[0], '/');
    char *name = slash ? slash + 1 : given[0];
    char *folder = own_folder();
    char **arguments = calloc(count + 256, sizeof *arguments);
    char *after[64];
    int total = 0, afterwards = 0, tool = is(name, "ld.lld") || is(name, "ar") || is(name, "ranlib");

    arguments[total++] = joined(folder, "zig");
    if (tool) {
        arguments[total++] = name;
        /* As with ld: a version script may name symbols that are not there. */
        if (is(name, "ld.lld")) arguments[total++] = "--undefined-version";
    } else {
        if (!strstr(name, "clang") && asks(count, given)) become_gcc(name, given);
        arguments[total++] = "clang";
        if (strstr(name, "++")) arguments[total++] = "--driver-mode=g++";
        for (char *line = strtok(configuration(), "\n"); line && total < 192; line = strtok(NULL, "\n")) {
            if (strncmp(line, "> ", 2) == 0 && afterwards < 64) after[afterwards++] = line + 2;
            else arguments[total++] = line;
        }
        if (!strstr(name, "++"))
            for (const char *const *flag = gcc_warnings(count - 1, given + 1); *flag; flag++)
                arguments[total++] = (char *)*flag;
        if (gcc_omits_frame_pointer(count - 1, given + 1)) arguments[total++] = "-fomit-frame-pointer";
        const char *contraction = gcc_contraction(count - 1, given + 1, strstr(name, "++") != NULL);
        if (contraction) arguments[total++] = (char *)contraction;
    }
    for (int at = 1; at < count; at++)
        if (tool || !gcc_optimiser(given[at])) arguments[total++] = given[at];
    for (int at = 0; at < afterwards; at++) arguments[total++] = after[at];
    execv(arguments[0], arguments);
    fprintf(stderr, "crosswheel: %s: %s\n", arguments[0], strerror(errno));
    return 127;
}
