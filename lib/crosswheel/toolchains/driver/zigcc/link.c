/* A link for which lld gets words that Zig's front refuses.
 *
 * Zig alone knows which start files, stubs and runtimes a target has. It tells what it starts (ZIG_VERBOSE_LINK), and
 * the same is started once more, with the words added. Its own link is ended at once by a linker script that is none. */
#include "zigcc.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char SPACE = 1; /* in place of one inside a word */

/* All that a command writes to stderr. */
static char *errors_of(const list *command) {
    int ends[2];
    fflush(NULL);
    if (pipe(ends)) {
        perror("zigcc: pipe");
        exit(1);
    }
    pid_t child = fork();
    if (child < 0) {
        perror("zigcc: fork");
        exit(1);
    }
    if (!child) {
        int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        _exit(run(command));
    }
    close(ends[1]);
    char *text = NULL;
    size_t room = 0, length = 0;
    for (ssize_t got = 0;; length += (size_t)got) {
        if (length + 4096 > room) text = checked(realloc(text, room = room ? room * 2 : 65536));
        got = read(ends[0], text + length, room - length - 1);
        if (got < 0 && errno == EINTR) got = 0;
        else if (got <= 0) break;
    }
    text[length] = 0;
    close(ends[0]);
    wait_for(child);
    return text;
}

static void hide_spaces(char *line, const char *word) {
    if (!word || !strchr(word, ' ')) return;
    for (char *at = line; (at = strstr(at, word)); at += strlen(word))
        for (size_t i = 0; word[i]; i++)
            if (at[i] == ' ') at[i] = SPACE;
}

/* Zig joins words by spaces. Those inside of words are known: they are in paths that it was told. */
static void split_line(list *to, char *line, const list *command) {
    for (size_t i = 0; i < command->count; i++) {
        const char *word = command->items[i];
        hide_spaces(line, word);
        if (starts(word, "-L")) hide_spaces(line, word + 2);
    }
    char *zig = checked(strdup(conf.zig));
    hide_spaces(line, dirname(zig));
    free(zig);
    hide_spaces(line, conf.cache);
    hide_spaces(line, conf.objects);
    hide_spaces(line, conf.library);
    char *state = NULL;
    for (char *word = strtok_r(line, " \n", &state); word; word = strtok_r(NULL, " \n", &state)) {
        for (char *at = word; *at; at++)
            if (*at == SPACE) *at = ' ';
        push(to, word);
    }
}

/* What Zig starts for a command that has `variable` set, from its first word `tool` on; what else it wrote is in
 * `rest`, but for what `tool` said. Empty where it started nothing. */
list what_zig_runs(const list *command, const char *variable, const char *tool, list *rest) {
    list found = {0};
    setenv(variable, "1", 1);
    char *text = errors_of(command), *state = NULL, *last = NULL;
    unsetenv(variable);
    for (char *line = strtok_r(text, "\n", &state); line; line = strtok_r(NULL, "\n", &state)) {
        if (starts(line, tool) && line[strlen(tool)] == ' ') last = line;
        else if (!starts(line, tool) && !starts(line, ">>>")) push(rest, line);
    }
    if (last) split_line(&found, last, command);
    free(text);
    return found;
}

/* The command with the configuration as linker script, which lld refuses before it reads an object. */
static list ended_by_script(const list *command) {
    list words = {0};
    for (size_t i = 0; i < command->count; i++) push(&words, command->items[i]);
    for (size_t i = 0; i < 2; i++) {
        push(&words, "-Xlinker");
        push(&words, i ? conf.file : "-T");
    }
    return words;
}

static bool has_script(const list *command) {
    for (size_t i = 0; i < command->count; i++)
        if (starts(command->items[i], "-T")) return true;
    return false;
}

int link_by_lld(const list *command) {
    list said = {0}, start = {0};
    list asked = has_script(command) ? *command : ended_by_script(command);
    list line = what_zig_runs(&asked, "ZIG_VERBOSE_LINK", "ld.lld", &said);
    for (size_t i = 0; i < said.count; i++) fprintf(stderr, "%s\n", said.items[i]);
    if (!line.count) return 1;
    push(&start, conf.zig);
    for (size_t i = 0; i < line.count; i++) {
        if (same(line.items[i], "-T") && i + 1 < line.count && same(line.items[i + 1], conf.file)) {
            i++;
            continue;
        }
        push(&start, line.items[i]);
        if (same(line.items[i], "-o") && i + 1 < line.count)
            unlink(line.items[i + 1]); /* Zig's, of a link that is not ours */
    }
    for (size_t i = 0; i < for_lld.count; i++) push(&start, for_lld.items[i]);
    return run(&start);
}
