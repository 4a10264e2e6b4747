/* Words of the linker: -Wl,a,b and -Xlinker c. */
#include "zigcc.h"

#include <stdlib.h>
#include <string.h>

static const char *const linker_dropped[] = {
    "-Bsymbolic-functions", "-O0", "-O1", "-O2", "-s", "--strip-all", "-x", "--discard-all", "--no-copy-dt-needed-entries",
    "--copy-dt-needed-entries", "--fix-cortex-a53-835769", "--fix-cortex-a53-843419", "--warn-common", "--no-keep-memory",
    "--reduce-memory-overheads", "--relax", "--no-relax", "--push-state", "--pop-state", "--no-warn-mismatch", "--stats",
    "--traditional-format", "-t", "--trace", "--print-map", "-M", "-zpack-relative-relocs", "-zseparate-code",
    "-zcombreloc", "--cref", "--verbose", "--no-export-dynamic", "--discard-none", "--ld-generated-unwind-info",
    "--no-ld-generated-unwind-info", NULL,
};
static const char *const z_dropped[] = {"pack-relative-relocs", "separate-code", "combreloc", NULL};
static const char *const linker_dropped_prefixes[] = {
    "--exclude-libs=", "-Map=", "--Map=", "-plugin", "--hash-size", "--fix-", "--package-metadata",
    "--icf=", "--orphan-handling=", "-rpath-link=", "--rpath-link=", "--threads", "--no-threads", "--demangle",
    "--no-demangle", "--error-limit=", "-zmax-page-size=", NULL,
};
static const char *const linker_dropped_pairs[] = {
    "--exclude-libs", "-Map", "--Map", "-rpath-link", "--rpath-link", NULL,
};
static const char *const rpath_words[] = {"-rpath", "--rpath", "-R", NULL};
static const char *const rpath_joined[] = {"-rpath=", "--rpath=", NULL};

static bool is_relative_to_origin(const char *entry) { return under(entry, "$ORIGIN") || under(entry, "${ORIGIN}"); }

/* -rpath with what is relative to the wheel's own files: the other entries name folders of this machine. */
static void push_rpath(list *kept, const char *value) {
    char *copy = checked(strdup(value)), *stays = checked(calloc(strlen(value) + 1, 1)), *state = NULL;
    for (char *entry = strtok_r(copy, ":", &state); entry; entry = strtok_r(NULL, ":", &state))
        if (is_relative_to_origin(entry)) strcat(*stays ? strcat(stays, ":") : stays, entry);
    if (*stays) { push(kept, "-rpath"); push(kept, stays); }
    free(copy);
    free(stays);
}

/* One word of the linker's: appended to `kept` unless it is dropped. Gives how many words it took, its value included. */
static size_t translate_linker_word(list *kept, const char *word, const char *value) {
    if (among(word, rpath_words)) {
        if (value) push_rpath(kept, value);
        return 2;
    }
    if (among(word, linker_dropped_pairs)) return 2;
    if (same(word, "-z") && value) {
        if (!among(value, z_dropped) && !starts(value, "max-page-size=")) { push(kept, word); push(kept, value); }
        return 2;
    }
    if (same(word, "-h") && value) { push(kept, "-soname"); push(kept, value); return 2; }
    if (starts_any(word, rpath_joined)) { push_rpath(kept, strchr(word, '=') + 1); return 1; }
    if (starts(word, "-R")) { push_rpath(kept, word + 2); return 1; }
    if (among(word, linker_dropped) || starts_any(word, linker_dropped_prefixes)) return 1;
    push(kept, word);
    return 1;
}

/* -L of the linker's is the driver's own, which Zig wants it to be. Gives how many words it took, 0 if it is none. */
static size_t translate_linker_folder(list *out, const char *word, const char *value) {
    bool alone = same(word, "-L") || same(word, "--library-path");
    const char *asked = alone ? value : starts(word, "-L") ? word + 2 : NULL;
    if (starts(word, "--library-path=")) asked = strchr(word, '=') + 1;
    if (!asked) return 0;
    const char *folder = folder_for_target(asked);
    if (folder) push_joined(out, "-L", folder);
    return alone ? 2 : 1;
}

/* -Wl,a,b and -Xlinker c: neighbours are one line of words, for libtool writes -Wl,-rpath -Wl,/folder.
 * Gives how many arguments it took. */
size_t translate_linker_words(list *out, const list *in, size_t at) {
    list words = {0}, kept = {0};
    size_t next = at;
    for (; next < in->count; next++) {
        if (starts(in->items[next], "-Wl,")) split(&words, in->items[next] + strlen("-Wl,"));
        else if (!same(in->items[next], "-Xlinker")) break;
        else if (next + 1 < in->count) push(&words, in->items[++next]);
    }
    for (size_t i = 0; i < words.count;) {
        const char *value = i + 1 < words.count ? words.items[i + 1] : NULL;
        size_t taken = translate_linker_folder(out, words.items[i], value);
        i += taken ? taken : translate_linker_word(&kept, words.items[i], value);
    }
    for (size_t i = 0; i < kept.count; i++) { push(out, "-Xlinker"); push(out, kept.items[i]); }
    return next - at;
}
