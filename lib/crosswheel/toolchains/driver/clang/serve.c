/* Runs clang and, where clang fails, the container's gcc; each through ccache, where the container has a cache. */
#define _GNU_SOURCE
#include "driver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec + time.tv_nsec / 1e9;
}

/* A line in the file that CROSSWHEEL_COMMANDS names: the compiler and its seconds. */
static void note(const char *compiler, double seconds) {
    const char *path = getenv("CROSSWHEEL_COMMANDS");
    int file = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666) : -1;
    if (file < 0) return;
    dprintf(file, "%s %.3f\n", compiler, seconds);
    close(file);
}

/* ---- files in memory ----------------------------------------------------------------------------------------- */

static int memory(void) {
    int file = memfd_create("crosswheel", MFD_CLOEXEC);
    if (file < 0) {
        perror("crosswheel: memfd_create");
        exit(127);
    }
    return file;
}

static void copy(int from, int to) {
    char part[65536];
    for (ssize_t got; (got = read(from, part, sizeof part)) > 0;)
        for (ssize_t put, done = 0; done < got; done += put)
            if ((put = write(to, part + done, got - done)) < 0) return;
}

static void show(int file, int to) {
    lseek(file, 0, SEEK_SET);
    copy(file, to);
}

static char *text_of(int file) {
    off_t size = lseek(file, 0, SEEK_END);
    char *text = malloc(size + 1);
    ssize_t got = pread(file, text, size, 0);
    text[got > 0 ? got : 0] = 0;
    return text;
}

/* Both compilers may have to read a source that comes through a pipe. */
static bool reads_standard_input(const command *given) {
    for (int at = 1; at < given->count; at++)
        if (is(given->words[at], "-")) return true;
    return false;
}

static void keep_standard_input(void) {
    int kept = memory();
    copy(STDIN_FILENO, kept);
    dup2(kept, STDIN_FILENO);
    lseek(STDIN_FILENO, 0, SEEK_SET);
}

/* ---- compilers ----------------------------------------------------------------------------------------------- */

/* The words, run by ccache where the container keeps objects. */
static char **cached(char **words) {
    char *ccache = joined(own_folder(), "ccache/ccache");
    if (!getenv("CCACHE_DIR") || access(ccache, X_OK) != 0) return words;
    int count = 0;
    while (words[count]) count++;
    char **all = calloc(count + 2, sizeof *all);
    all[0] = ccache;
    memcpy(all + 1, words, count * sizeof *words);
    return all;
}

/* This program under the same name: ccache takes it for the compiler, and it becomes clang. */
static char **clang_under_ccache(const command *given) {
    char **words = calloc(given->count + 1, sizeof *words), folder[] = "clang/bin";
    memcpy(words, given->words, given->count * sizeof *words);
    words[0] = joined(joined(own_folder(), folder), given->name);
    setenv("CROSSWHEEL_ONLY_CLANG", "1", 1);
    /* ccache passes on a command that asks for preprocessed text; its own are to compare. */
    if (!preprocesses(given)) setenv("CROSSWHEEL_FOR_CACHE", "1", 1);
    return cached(words);
}

/* gcc is known by its content, and by its own name. */
static char **gcc_under_ccache(char **words) {
    unsetenv("CROSSWHEEL_ONLY_CLANG");
    unsetenv("CROSSWHEEL_FOR_CACHE");
    unsetenv("CCACHE_COMPILERTYPE");
    setenv("CCACHE_COMPILERCHECK", "content", 1);
    return cached(words);
}

/* The exit code, as a shell would give it. */
static int run(char **words, int out, int errors) {
    pid_t child = fork();
    if (child < 0) {
        perror("crosswheel: fork");
        exit(127);
    }
    if (child == 0) {
        dup2(out, STDOUT_FILENO);
        dup2(errors, STDERR_FILENO);
        become(words);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Whether clang has served the command, or failed as gcc would; its exit code is in `status`. */
static bool served_by_clang(const command *given, int *status) {
    int out = memory(), errors = memory();
    *status = run(clang_under_ccache(given), out, errors);
    if (*status && gcc_may_serve(text_of(errors)) && gcc_words(given)) return false;
    show(out, STDOUT_FILENO);
    show(errors, STDERR_FILENO);
    return true;
}

/* A command that clang could not serve counts as gcc's, also where both fail: its time is spent. */
int serve(const command *given) {
    double began = now();
    int status = 0;
    if (!only_gcc_serves(given)) {
        bool reads = reads_standard_input(given);
        if (reads) keep_standard_input();
        if (served_by_clang(given, &status)) {
            note("clang", now() - began);
            return status;
        }
        if (reads) lseek(STDIN_FILENO, 0, SEEK_SET);
    }
    char **gcc = gcc_words(given);
    if (!gcc) {
        fprintf(stderr, "crosswheel: clang cannot serve this command, and the image has no %s; name another --image\n",
                given->name);
        return 127;
    }
    status = run(gcc_under_ccache(gcc), STDOUT_FILENO, STDERR_FILENO);
    note("gcc", now() - began);
    return status;
}
