/* `#pragma GCC target("+crc")`: the functions after it are compiled for more than the baseline.
 *
 * clang has `#pragma clang attribute` for that. A source with gcc's pragma is preprocessed, so that only the pragmas
 * that count are left, then they are replaced, and the result is compiled. */
#include "zigcc.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEEPEST = 64 };

bool has_target_pragma(const char *source) {
    FILE *file = fopen(source, "r");
    char *line = NULL;
    size_t room = 0;
    bool found = false;
    while (file && !found && getline(&line, &room, file) >= 0)
        found = strstr(line, "pragma") && strstr(line, "GCC") && strstr(line, "target");
    free(line);
    if (file) fclose(file);
    return found;
}

/* What follows the word at the beginning of a text, without blanks around it; NULL if it begins otherwise. */
static const char *after(const char *text, const char *word) {
    if (!text) return NULL;
    text += strspn(text, " \t");
    if (!starts(text, word)) return NULL;
    text += strlen(word);
    return text + strspn(text, " \t");
}

/* On one line, so that the numbers of lines stay. */
static size_t pop(FILE *to, size_t count) {
    while (count--) fputs("_Pragma(\"clang attribute pop\") ", to);
    fputs("\n", to);
    return 0;
}

/* gcc's stack of options, as clang's stack of attributes; what is open at the end is closed. */
static void replace_pragmas(FILE *from, FILE *to) {
    size_t open = 0, outer[DEEPEST], depth = 0, room = 0;
    char *line = NULL;
    while (getline(&line, &room, from) >= 0) {
        const char *gcc = after(after(after(line, "#"), "pragma"), "GCC"), *target = after(gcc, "target");
        if (target) {
            target += *target == '(';
            fprintf(to, "#pragma clang attribute push(__attribute__((target(%.*s))), apply_to=function)\n",
                    (int)strcspn(target, ")\n"), target);
            open++;
        } else if (after(gcc, "push_options") && depth < DEEPEST) {
            outer[depth++] = open;
            open = 0;
            fputs("\n", to);
        } else if (after(gcc, "pop_options") && depth) {
            pop(to, open);
            open = outer[--depth];
        } else if (after(gcc, "reset_options")) open = pop(to, open);
        else fputs(line, to);
    }
    while (depth) open += outer[--depth];
    pop(to, open);
    free(line);
}

static bool replace_in(const char *preprocessed, const char *replaced) {
    FILE *from = fopen(preprocessed, "r"), *to = fopen(replaced, "w");
    bool opened = from && to;
    if (opened) replace_pragmas(from, to);
    if (!opened) perror("zigcc: the preprocessed source");
    if (from) fclose(from);
    return to && fclose(to) == 0 && opened;
}

/* The object that gcc writes if no -o names one: x.o for folder/x.c. */
static void name_object(char *name, size_t size, const char *source) {
    char *copy = checked(strdup(source)), *base = basename(copy);
    snprintf(name, size, "%.*s.o", (int)(strrchr(base, '.') - base), base);
    free(copy);
}

static const char *object_of(const list *command, const char *source) {
    static char name[PATH_MAX];
    for (size_t i = 0; i + 1 < command->count; i++)
        if (same(command->items[i], "-o")) return command->items[i + 1];
    name_object(name, sizeof name, source);
    return name;
}

/* The command for one of the two stages. Macros, headers and dependency files belong to the first. */
static list stage(const list *command, const char *source, bool first, const char *input, const char *output) {
    static const char *const included[] = {"-include", "-imacros", NULL};
    list out = {0};
    bool dependencies = false, named = false;
    for (size_t i = 0; i < command->count; i++) {
        const char *word = command->items[i];
        bool valued = takes_value(word) && i + 1 < command->count, dependency = starts(word, "-M");
        bool left_out = same(word, "-o") || same(word, "-c") || (!first && (dependency || among(word, included)));
        dependencies = dependencies || dependency;
        named = named || starts(word, "-MT") || starts(word, "-MQ");
        if (!left_out) push(&out, same(word, source) ? input : word);
        if (valued && !left_out) push(&out, command->items[i + 1]);
        i += valued;
    }
    push(&out, first ? "-E" : "-c");
    if (!first) push(&out, "-w"); /* an expanded macro is warned about, which gcc would not do */
    if (first && dependencies && !named) {
        push(&out, "-MT");
        push(&out, object_of(command, source));
    }
    push(&out, "-o");
    push(&out, output);
    return out;
}

int compile_with_target_pragmas(const list *command, const char *source) {
    char preprocessed[PATH_MAX], replaced[PATH_MAX];
    const char *folder = conf.objects ? conf.objects : conf.cache, *ending = strrchr(source, '.');
    snprintf(preprocessed, sizeof preprocessed, "%s/%ld.i", folder, (long)getpid());
    snprintf(replaced, sizeof replaced, "%s/%ld-replaced%s", folder, (long)getpid(), ending);
    list first = stage(command, source, true, source, preprocessed);
    int code = run_and_wait(&first, false);
    if (!code) code = replace_in(preprocessed, replaced) ? 0 : 1;
    list second = stage(command, source, false, replaced, object_of(command, source));
    if (!code) code = run_and_wait(&second, false);
    unlink(preprocessed);
    unlink(replaced);
    return code;
}
