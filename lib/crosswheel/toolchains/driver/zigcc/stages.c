/* Stages at which Zig's front is no compiler: it wants a file where gcc reads from a pipe, and an object of everything.
 *
 * Zig tells with which words it starts clang (ZIG_VERBOSE_CC); clang is started with them, and with those of the
 * caller's that Zig need not know. */
#include "zigcc.h"

#include <stdio.h>
#include <string.h>

bool needs_clang(const list *in) {
    static const char *const always[] = {"-S", "-M", "-MM", "-fsyntax-only", "-###", NULL};
    bool pipe = false, reads = false;
    for (size_t i = 0; i < in->count; i++) {
        if (takes_value(in->items[i])) {
            i++;
            continue;
        }
        if (among(in->items[i], always)) return true;
        pipe = pipe || same(in->items[i], "-");
        reads = reads || same(in->items[i], "-E");
    }
    return pipe && reads;
}

/* Inputs and outputs, their languages and the stage. */
static bool is_not_zigs(const char *word) {
    static const char *const words[] = {
        "-", "-E", "-S", "-c", "-fsyntax-only", "-v", "-###", "-P", "-C", "-CC", NULL,
    };
    static const char *const beginnings[] = {"-o", "-x", "-M", "-dM", "-dD", "-dN", "-dI", "-dU", NULL};
    return word[0] != '-' || among(word, words) || starts_any(word, beginnings);
}

/* What Zig adds for the empty file that it was given. */
static size_t is_of_the_empty_file(const list *line, size_t at) {
    const char *word = line->items[at];
    if (same(word, "-MF") || same(word, "-x")) return 2;
    return same(word, "-MD") || same(word, "-MV") || same(word, "-E") || same(word, "/dev/null");
}

int run_clang(const list *command) {
    list ask = {0}, held = {0}, rest = {0}, start = {0};
    const char *language = same(command->items[1], "c++") ? "c++" : "c";
    bool named = false;
    push(&ask, command->items[0]);
    push(&ask, command->items[1]);
    for (size_t i = 2; i < command->count; i++) {
        const char *word = command->items[i];
        list *to = is_not_zigs(word) ? &held : &ask;
        named = named || starts(word, "-x");
        if (same(word, "-") && !named) {
            push(&held, "-x");
            push(&held, language);
        }
        push(to, word);
        if (takes_value(word) && i + 1 < command->count) push(to, command->items[++i]);
    }
    const char *const empty[] = {"-E", "-x", language, "/dev/null", NULL};
    for (const char *const *word = empty; *word; word++) push(&ask, *word);
    char tool[4096];
    snprintf(tool, sizeof tool, "%s clang", conf.zig);
    list line = what_zig_runs(&ask, "ZIG_VERBOSE_CC", tool, &rest);
    if (!line.count) {
        for (size_t i = 0; i < rest.count; i++) fprintf(stderr, "%s\n", rest.items[i]);
        return 1;
    }
    for (size_t i = 0; i < line.count;) {
        size_t left_out = is_of_the_empty_file(&line, i);
        if (!left_out) push(&start, line.items[i++]);
        i += left_out;
    }
    for (size_t i = 0; i < held.count; i++) push(&start, held.items[i]);
    return run(&start);
}
