/* A link of bitcode: lld compiles it, all of it at each link, unless it may keep what it has compiled.
 *
 * lld finds a part again by a hash of its bitcode, of what it takes over from other parts, and of LLVM's version
 * (https://clang.llvm.org/docs/ThinLTO.html, "Incremental"). What it links is the same, byte by byte. */
#include "zigcc.h"

#include <stdio.h>
#include <string.h>

static bool is_bitcode(const char *path) {
    size_t length = strlen(path);
    if (length < 3 || !same(path + length - 2, ".o")) return false;
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    char head[4];
    bool does = fread(head, 1, sizeof head, file) == sizeof head && memcmp(head, "BC\xC0\xDE", sizeof head) == 0;
    fclose(file);
    return does;
}

/* lld's words for a folder with at most a gigabyte, or none if this link has no bitcode. */
list keeping_of(const list *command) {
    list words = {0};
    bool found = false;
    for (size_t i = 0; conf.linked && i < command->count && !found; i++) found = is_bitcode(command->items[i]);
    if (!found) return words;
    push_joined(&words, "--thinlto-cache-dir=", conf.linked);
    push(&words, "--thinlto-cache-policy=cache_size_bytes=1g");
    return words;
}
