/* The compiler under names that leave options out: c89, c99, cpp, and the assembler, which make calls for a .s file. */
#include "zigcc.h"

#include <stdlib.h>

/* Whether gcc of an x86 machine asks, by its path, and found us in PATH: it says so, and no other target has the word. */
static bool is_for_this_machine(const list *in) {
    static const char *const words[] = {"--64", "--32", "--x32", NULL};
    for (size_t i = 0; i < in->count; i++)
        if (among(in->items[i], words) && !starts(conf.target, "x86")) return true;
    return false;
}

/* What the assembler is told; its own words, which begin with two dashes, reach it through the compiler. */
static list assembler_words(const list *in) {
    static const char *const head[] = {"-c", "-x", "assembler", NULL};
    list words = {0};
    bool named = false, reads = false, asks = false;
    for (const char *const *word = head; *word; word++) push(&words, *word);
    for (size_t i = 0; i < in->count; i++) {
        const char *word = in->items[i];
        bool value = takes_value(word) || same(word, "--defsym");
        named = named || starts(word, "-o");
        reads = reads || word[0] != '-' || same(word, "-");
        asks = asks || same(word, "--version") || same(word, "--help");
        if (starts(word, "--")) push_joined(&words, "-Wa,", word);
        else push(&words, word);
        if (!value || i + 1 == in->count) continue;
        if (starts(word, "--")) push_joined(&words, "-Wa,", in->items[++i]);
        else push(&words, in->items[++i]);
    }
    if (!named) push(&words, asks ? "-o/dev/null" : "-oa.out");
    if (!reads) push(&words, asks ? "/dev/null" : "-"); /* a question does not wait for its standard input */
    return words;
}

/* cpp [options] [input [output]]: it reads its standard input where no file is named (GNU cpp's manual, "Invocation"). */
static list preprocesses(const list *in) {
    list words = {0};
    size_t files = 0;
    push(&words, "-E");
    push(&words, "-xc");
    for (size_t i = 0; i < in->count; i++) {
        const char *word = in->items[i];
        bool is_file = word[0] != '-' || !word[1];
        if (is_file && ++files == 2) push(&words, "-o");
        push(&words, word);
        if (takes_value(word) && i + 1 < in->count) push(&words, in->items[++i]);
    }
    if (!files) push(&words, "-");
    return words;
}

list as_compiler(const char *name, const list *in) {
    list words = {0};
    if (same(name, "as") && is_for_this_machine(in)) {
        push(&words, "/usr/bin/as");
        for (size_t i = 0; i < in->count; i++) push(&words, in->items[i]);
        exit(run(&words));
    }
    if (same(name, "as")) return assembler_words(in);
    if (same(name, "cpp")) return preprocesses(in);
    if (same(name, "c89")) push(&words, "-std=c89");
    if (same(name, "c99")) push(&words, "-std=c99");
    for (size_t i = 0; i < in->count; i++) push(&words, in->items[i]);
    return words;
}
