/* Headers and libraries that a build asks for, this machine has, and the target lacks: a probe that fails may take a
 * feature out of the wheel, without a word. */
#include "zigcc.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#if defined(__aarch64__)
#define HERE "aarch64-linux-gnu"
#else
#define HERE "x86_64-linux-gnu"
#endif

static const struct {
    const char *before, *after, *places[5];
} signs[] = {
    {"fatal error: '", "' file not found", {"/usr/include/%s"}},
    {"error: \"Header '", "' could not be found", {"/usr/include/%s"}}, /* Meson */
    {"unable to find dynamic system library \"",
     "\"",
     {"/usr/lib/" HERE "/lib%s.so", "/usr/lib64/lib%s.so", "/usr/lib/lib%s.so"}},
    {"unable to find library -l", "\n", {"/usr/lib/" HERE "/lib%s.so", "/usr/lib64/lib%s.so", "/usr/lib/lib%s.so"}},
};

static bool is_here(const char *const *places, const char *name) {
    char path[PATH_MAX];
    for (; *places; places++) {
        snprintf(path, sizeof path, *places, name);
        if (access(path, F_OK) == 0) return true;
    }
    return false;
}

/* The kernel's and the C library's own differ from one architecture to the next, as they should. */
static bool is_of_system(const char *name) {
    static const char *const folders[] = {"sys/", "asm/", "asm-", "bits/", "gnu/", "linux/", NULL};
    return starts_any(name, folders) || strpbrk(name, "\"\\");
}

static void note(char *line, const char *notes) {
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++) {
        char *name = strstr(line, signs[i].before);
        char *end = name ? strstr(name += strlen(signs[i].before), signs[i].after) : NULL;
        if (!end) continue;
        *end = 0;
        int file = is_of_system(name) || !is_here(signs[i].places, name)
                       ? -1
                       : open(notes, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
        if (file < 0) return;
        dprintf(file, "{\"lacks\": \"%s\"}\n", name);
        close(file);
        return;
    }
}

/* The caller goes on as a child, and this process passes on what it says. */
void note_what_lacks(void) {
    const char *notes = getenv("CROSSWHEEL_LACKING");
    int ends[2];
    if (!notes || pipe(ends)) return;
    fflush(NULL);
    pid_t child = fork();
    if (child <= 0) {
        if (!child) {
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            dup2(ends[1], STDERR_FILENO);
        }
        close(ends[0]);
        close(ends[1]);
        return;
    }
    close(ends[1]);
    FILE *errors = fdopen(ends[0], "r");
    char *line = NULL;
    size_t room = 0;
    while (errors && getline(&line, &room, errors) > 0) {
        fputs(line, stderr);
        note(line, notes);
    }
    exit(wait_for(child));
}
