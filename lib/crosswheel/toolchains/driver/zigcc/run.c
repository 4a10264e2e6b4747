/* Running Zig. */
#include "zigcc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* For those who want to know what would be run, tests among them. */
int print(const list *command) {
    for (size_t i = 1; i < command->count; i++) puts(command->items[i]);
    if (for_lld.count) puts("lld:");
    for (size_t i = 0; i < for_lld.count; i++) puts(for_lld.items[i]);
    return 0;
}

int run(const list *command) {
    if (getenv("ZIGCC_PRINT")) return print(command);
    if (conf.library) setenv("ZIG_LIB_DIR", conf.library, 1);
    setenv("ZIG_GLOBAL_CACHE_DIR", conf.cache, 1);
    setenv("ZIG_LOCAL_CACHE_DIR", conf.objects ? conf.objects : conf.cache, 1);
    execv(command->items[0], command->items);
    fprintf(stderr, "zigcc: %s: %s\n", command->items[0], strerror(errno));
    return 127;
}

/* The exit code, as a shell would give it. */
int wait_for(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) {
            perror("zigcc: waitpid");
            exit(1);
        }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Run, and come back: the exit code. */
int run_and_wait(const list *command, bool quiet) {
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) {
        perror("zigcc: fork");
        exit(1);
    }
    if (!child) {
        int nowhere = quiet ? open("/dev/null", O_WRONLY) : -1;
        if (nowhere >= 0) {
            dup2(nowhere, STDOUT_FILENO);
            dup2(nowhere, STDERR_FILENO);
        }
        _exit(run(command));
    }
    return wait_for(child);
}

/* lld takes the target from the first object, and of data alone (-b binary) there is none. binutils' ld knows its own. */
int run_linker(int argc, char **argv) {
    static const char *const emulations[][2] = {
        {"aarch64", "aarch64linux"}, {"arm", "armelf_linux_eabi"}, {"powerpc64le", "elf64lppc"},
        {"riscv64", "elf64lriscv"},  {"s390x", "elf64_s390"},      {"x86_64", "elf_x86_64"},
        {"x86", "elf_i386"},
    };
    list command = {0};
    push(&command, conf.zig);
    push(&command, "ld.lld");
    for (size_t i = 0; i < sizeof emulations / sizeof *emulations; i++) {
        if (!starts(conf.target, emulations[i][0])) continue;
        push(&command, "-m"); /* a later one of the caller's has the last word */
        push(&command, emulations[i][1]);
        break;
    }
    for (int i = 1; i < argc; i++) push(&command, argv[i]);
    push(&command, "-O0"); /* mergeable constants stay as they are: see constants.c */
    return run(&command);
}

int run_tool(const char *tool, int argc, char **argv) {
    list command = {0};
    push(&command, conf.zig);
    push(&command, tool);
    for (int i = 1; i < argc; i++) push(&command, argv[i]);
    return run(&command);
}
