/* Flags of the compiler. */
#include "zigcc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const dropped[] = {
    "-static-libgcc", "-static-libstdc++", "-latomic", "-lgcc", "-pipe", "-m64", "-ffat-lto-objects",
    "-fno-fat-lto-objects", "-fuse-linker-plugin", "-fno-semantic-interposition", "-march=native", "-mcpu=native",
    "-fno-lifetime-dse", "-fvar-tracking", "-fno-var-tracking", "-fvar-tracking-assignments",
    "-fno-var-tracking-assignments", "-fno-plt", "-fcf-protection", "-mbranch-protection=standard", "-s", NULL,
};
/* -g...: debug information; the rest names gcc's own parts, or a target and a linker that are not ours to choose. */
static const char *const dropped_prefixes[] = {
    "-mtune=", "-specs=", "--target=", "-fuse-ld=", "--gcc-toolchain=", "-R/", "-lpython3", "-fstack-clash",
    "-fcf-protection=", NULL,
};
/* Only -g flags are debug flags among those that start so; -gcc-... does not exist in one dash. */
bool is_debug_flag(const char *flag) { return starts(flag, "-g") || starts(flag, "-fdebug-"); }

bool is_cxx_source(const char *word) {
    static const char *const endings[] = {".cc", ".cp", ".cxx", ".cpp", ".CPP", ".c++", ".C", ".ii", NULL};
    return ends_among(word, endings);
}

bool is_source(const char *word) {
    static const char *const endings[] = {".c", ".i", ".m", ".s", ".S", NULL};
    return is_cxx_source(word) || ends_among(word, endings);
}

static bool speaks_of_time(const char *path) {
    static const char *const macros[] = {"__DATE__", "__TIME__", NULL};
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    bool found = false;
    while (file && !found && getline(&line, &room, file) >= 0)
        for (size_t i = 0; macros[i]; i++) found = found || strstr(line, macros[i]);
    free(line);
    if (file) fclose(file);
    return found;
}

/* Zig takes these macros for an error, for its cache does not know the time. They mean SOURCE_DATE_EPOCH, and with that
 * among the words an object of another time is another object. */
void date(list *command, const list *in) {
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    for (size_t i = 0; i < in->count && epoch; i++)
        if (is_source(in->items[i]) && speaks_of_time(in->items[i])) {
            push(command, "-Wno-error=date-time");
            push_joined(command, "-DZIGCC_EPOCH=", epoch);
            return;
        }
}

bool wants_cxx(const list *in) {
    for (size_t i = 0; i < in->count; i++) {
        const char *word = in->items[i];
        if (same(word, "-o")) { i++; continue; }
        if (is_cxx_source(word) || starts(word, "-std=c++") || starts(word, "-std=gnu++")) return true;
        if (same(word, "-lstdc++") || same(word, "-lc++") || starts(word, "-xc++")) return true;
        if (same(word, "-x") && i + 1 < in->count && starts(in->items[i + 1], "c++")) return true;
    }
    return false;
}

bool links(const list *in) {
    static const char *const stages[] = {"-c", "-S", "-E", "-M", "-MM", "-fsyntax-only", NULL};
    for (size_t i = 0; i < in->count; i++) if (among(in->items[i], stages)) return false;
    return true;
}

/* Whether there is nothing to compile before the link. */
static bool links_objects(const list *in) {
    for (size_t i = 0; i < in->count; i++) if (is_source(in->items[i])) return false;
    return links(in);
}

/* Zig builds its runtimes anew for these, libc++ among them: a minute for what code that is compiled has no use for. */
static bool is_for_compiling(const char *word) {
    static const char *const flags[] = {
        "-Os", "-Oz", "-fno-asynchronous-unwind-tables", "-fno-unwind-tables", NULL,
    };
    return among(word, flags) || starts(word, "-march=") || starts(word, "-mcpu=");
}

/* -Wp,-DNAME,-UNAME: what is defined goes to the driver; undefining is distributions' way to change their own flags. */
static void translate_preprocessor_words(list *out, const char *words) {
    list all = {0};
    split(&all, words);
    for (size_t i = 0; i < all.count; i++) if (!starts(all.items[i], "-U")) push(out, all.items[i]);
}

/* -flto=auto and -flto=8 are gcc's. At the link the flag is left out: the linker knows bitcode when it sees it, and Zig
 * would build a second libc++ for the flag, a minute on every machine. */
static void translate_lto(list *out, const char *word, bool linking) {
    if (!linking) push(out, same(word, "-flto=thin") ? word : "-flto");
}

void translate(list *out, const list *in) {
    bool linking = links(in), only_objects = links_objects(in);
    for (size_t i = 0; i < in->count; i++) {
        const char *word = in->items[i], *next = i + 1 < in->count ? in->items[i + 1] : NULL;
        size_t taken = translate_folder(out, word, next);
        if (taken) { i += taken - 1; continue; }
        if (same(word, "-Xlinker") || starts(word, "-Wl,")) i += translate_linker_words(out, in, i) - 1;
        else if (same(word, "-target") || same(word, "-R") || same(word, "-rpath")) i++;
        else if (starts(word, "-Wp,-D") || starts(word, "-Wp,-U"))
            translate_preprocessor_words(out, word + strlen("-Wp,"));
        else if (!conf.debug && is_debug_flag(word)) continue;
        else if (only_objects && is_for_compiling(word)) continue;
        else if (starts(word, "-flto")) translate_lto(out, word, linking);
        else if (same(word, "-lgcc_s")) push(out, "-lunwind");
        else if (same(word, "-lstdc++")) continue; /* c++ links its own */
        else if (among(word, dropped) || starts_any(word, dropped_prefixes)) continue;
        else if (starts(word, "-march=") || starts(word, "-mcpu=")) translate_cpu(out, word);
        else push(out, word);
    }
}
