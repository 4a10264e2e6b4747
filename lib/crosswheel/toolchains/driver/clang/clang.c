/* clang as the container's compiler: with its triple, its gcc's folder (and so its libstdc++, headers and start files),
 * lld as the linker. Those arguments are the lines of CONFIGURATION; a line that begins with "> " goes after the
 * caller's arguments. */
#include "driver.h"

#include "../shared/gcc.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef CONFIGURATION
#define CONFIGURATION "/etc/crosswheel/clang"
#endif

/* Without the file there are none: clang alone still answers --version. */
int configured(char **words, int most, bool afterwards) {
    FILE *file = fopen(CONFIGURATION, "r");
    int count = 0;
    if (!file) return 0;
    char *text = malloc(16384);
    text[fread(text, 1, 16383, file)] = 0;
    fclose(file);
    for (char *line = strtok(text, "\n"); line && count < most; line = strtok(NULL, "\n"))
        if (starts(line, "> ") == afterwards) words[count++] = afterwards ? line + 2 : line;
    return count;
}

static bool optimises_at_link(const command *given) {
    bool does = false;
    for (int at = 1; at < given->count; at++) {
        if (starts(given->words[at], "-flto")) does = true;
        if (is(given->words[at], "-fno-lto")) does = false;
    }
    return does;
}

/* A word of gcc's as clang has it. */
static char *translated(char *word) {
    /* Only links come here with it: gcc has compiled the objects for its own runtime. */
    if (is(word, "-fopenmp")) return "-fopenmp=libgomp";
    /* The number of gcc's processes. */
    if (starts(word, "-flto=") && isdigit((unsigned char)word[6])) return "-flto";
    return word;
}

char **clang_words(const command *given) {
    char **words = calloc(given->count + 64 + 2 * CONFIGURED, sizeof *words);
    int total = 0;
    bool cxx = strstr(given->name, "++");

    words[total++] = joined(own_folder(), "zig");
    words[total++] = "clang";
    if (cxx) words[total++] = "--driver-mode=g++";
    total += configured(words + total, CONFIGURED, false);
    if (!cxx)
        for (const char *const *flag = gcc_warnings(given->count - 1, given->words + 1); *flag; flag++)
            words[total++] = (char *)*flag;
    if (gcc_omits_frame_pointer(given->count - 1, given->words + 1)) words[total++] = "-fomit-frame-pointer";
    const char *contraction = gcc_contraction(given->count - 1, given->words + 1, cxx);
    if (contraction) words[total++] = (char *)contraction;
    /* Machine code beside LLVM's: the container's gcc, ar and ld read such objects, too. */
    if (optimises_at_link(given)) words[total++] = "-ffat-lto-objects";
    for (int at = 1; at < given->count; at++)
        if (!gcc_optimiser(given->words[at])) words[total++] = translated(given->words[at]);
    if (!links_only(given))
        for (const char *const *flag = gcc_finite(given->count - 1, given->words + 1); *flag; flag++)
            words[total++] = (char *)*flag;
    configured(words + total, CONFIGURED, true);
    return words;
}

char **clang_tool_words(const command *given) {
    char **words = calloc(given->count + 6, sizeof *words);
    int total = 0;
    words[total++] = joined(own_folder(), "zig");
    words[total++] = (char *)given->name;
    /* As with ld: a version script may name symbols that are not there. */
    if (is(given->name, "ld.lld")) words[total++] = "--undefined-version";
    for (int at = 1; at < given->count; at++) words[total++] = given->words[at];
    if (is(given->name, "ld.lld")) {
        /* From 1 on, and that is what it does unasked, it sorts mergeable constants and leaves out those that nothing
         * names: code by hand may read two by one name, which ld keeps together. */
        words[total++] = "-O0";
        /* As with ld, after all other folders: where images and before-all install libraries. */
        words[total++] = "-L/usr/local/lib64";
        words[total++] = "-L/usr/local/lib";
    }
    return words;
}
