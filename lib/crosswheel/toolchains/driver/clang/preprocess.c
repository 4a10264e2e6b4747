/* The preprocessor's output, as ccache compares it with that of earlier runs.
 *
 * pip, build and uv put the headers of build requirements into folders of random names, so the line markers of two
 * equal builds differ. Here a random name becomes "RANDOM" in the markers, and nowhere else: text that holds such a
 * path, as __FILE__ does, still differs. What is compiled is the source itself, never this output. */
#define _GNU_SOURCE
#include "driver.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char replacement[] = "RANDOM";

/* The length of what a name ends with: "-" or "tmp" before eight characters of Python's tempfile, ".tmp" before six of
 * uv's; 0 where it ends with neither. */
static size_t random_end(const char *name, size_t length) {
    static const struct {
        const char *before;
        size_t characters;
    } kinds[] = {{"-", 8}, {"tmp", 8}, {".tmp", 6}};
    for (size_t kind = 0; kind < sizeof kinds / sizeof *kinds; kind++) {
        size_t ours = strlen(kinds[kind].before), characters = kinds[kind].characters;
        if (length < ours + characters) continue;
        const char *at = name + length - characters;
        if (strncmp(at - ours, kinds[kind].before, ours) != 0) continue;
        size_t same = 0;
        while (same < characters && (isalnum((unsigned char)at[same]) || at[same] == '_')) same++;
        if (same == characters) return characters;
    }
    return 0;
}

/* Only folders that are made for one build: below /tmp, and uv's own. */
static bool is_of_one_build(const char *path) { return starts(path, "/tmp/") || strstr(path, "/builds-v0/"); }

static void show_marker(const char *line, const char *path, const char *end, FILE *out) {
    fwrite(line, 1, path - line, out);
    for (const char *part = path; part < end;) {
        const char *slash = memchr(part, '/', end - part);
        size_t length = (slash ? slash : end) - part;
        size_t end_of_name = slash ? random_end(part, length) : 0;
        fwrite(part, 1, length - end_of_name, out);
        if (end_of_name) fputs(replacement, out);
        if (slash) fputc('/', out);
        part += length + (slash ? 1 : 0);
    }
    fputs(end, out);
}

/* Lines such as: # 12 "/tmp/build-env-k3v_0a9x/include/header.h" 1 3 4 */
static void show_line(const char *line, size_t length, FILE *out) {
    if (starts(line, "# ") && isdigit((unsigned char)line[2])) {
        const char *quote = strchr(line, '"'), *end = quote ? strchr(quote + 1, '"') : NULL;
        if (end && is_of_one_build(quote + 1)) {
            show_marker(line, quote + 1, end, out);
            return;
        }
    }
    fwrite(line, 1, length, out);
}

bool preprocesses(const command *given) {
    for (int at = 1; at < given->count; at++)
        if (is(given->words[at], "-E")) return true;
    return false;
}

int preprocess_for_cache(const command *given) {
    int ends[2];
    pid_t child = pipe(ends) < 0 ? -1 : fork();
    if (child < 0) {
        perror("crosswheel: starting the preprocessor");
        return 127;
    }
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        become(clang_words(given));
    }
    close(ends[1]);
    FILE *in = fdopen(ends[0], "r");
    char *line = NULL;
    size_t room = 0;
    for (ssize_t length; (length = getline(&line, &room, in)) > 0;) show_line(line, length, stdout);
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    if (fflush(stdout) != 0) return 127;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
