/* Running Zig. */
#include "zigcc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int run(const list *command) {
    if (getenv("ZIGCC_PRINT")) { /* for those who want to know, tests among them */
        for (size_t i = 1; i < command->count; i++) puts(command->items[i]);
        return 0;
    }
    if (conf.library) setenv("ZIG_LIB_DIR", conf.library, 1);
    setenv("ZIG_GLOBAL_CACHE_DIR", conf.cache, 1);
    setenv("ZIG_LOCAL_CACHE_DIR", conf.objects ? conf.objects : conf.cache, 1);
    execv(conf.zig, command->items);
    fprintf(stderr, "zigcc: %s: %s\n", conf.zig, strerror(errno));
    return 127;
}

/* Run, and come back: the exit code. */
int run_and_wait(const list *command, bool quiet) {
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) { perror("zigcc: fork"); exit(1); }
    if (!child) {
        int nowhere = quiet ? open("/dev/null", O_WRONLY) : -1;
        if (nowhere >= 0) { dup2(nowhere, STDOUT_FILENO); dup2(nowhere, STDERR_FILENO); }
        _exit(run(command));
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0) if (errno != EINTR) { perror("zigcc: waitpid"); exit(1); }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int run_tool(const char *tool, int argc, char **argv) {
    list command = {0};
    push(&command, conf.zig);
    push(&command, tool);
    for (int i = 1; i < argc; i++) push(&command, argv[i]);
    return run(&command);
}
