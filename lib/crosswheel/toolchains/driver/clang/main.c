/* A native compiler of the Docker host's machine, inside a container of another architecture.
 *
 * A static program that runs without the container's loader and without emulation. It stands in PATH under the names
 * of the container's compilers and starts the clang inside Zig, or the container's own gcc, which is emulated, for a
 * command that clang cannot serve.
 */
#include "driver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool is(const char *word, const char *other) { return strcmp(word, other) == 0; }

bool starts(const char *word, const char *beginning) { return strncmp(word, beginning, strlen(beginning)) == 0; }

char *joined(const char *folder, const char *name) {
    char *path = malloc(strlen(folder) + strlen(name) + 2);
    sprintf(path, "%s/%s", folder, name);
    return path;
}

char *own_folder(void) {
    static char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0) {
        perror("crosswheel: /proc/self/exe");
        exit(127);
    }
    path[length] = 0;
    *strrchr(path, '/') = 0;
    return path;
}

void become(char **words) {
    execv(words[0], words);
    fprintf(stderr, "crosswheel: %s: %s\n", words[0], strerror(errno));
    _exit(127);
}

int main(int count, char **words) {
    const char *slash = strrchr(words[0], '/');
    command given = {slash ? slash + 1 : words[0], count, words};
    if (is(given.name, "ld.lld") || is(given.name, "ar") || is(given.name, "ranlib")) become(clang_tool_words(&given));
    if (getenv("CROSSWHEEL_FOR_CACHE") && preprocesses(&given)) return preprocess_for_cache(&given);
    if (strstr(given.name, "clang") || getenv("CROSSWHEEL_ONLY_CLANG")) become(clang_words(&given));
    char **gcc = asks(&given) ? gcc_words(&given) : NULL;
    if (gcc) become(gcc);
    return serve(&given);
}
