/* Words of the linker: -Wl,a,b and -Xlinker c. Zig's front knows some, lld knows nearly all, and some are dropped. */
#include "zigcc.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What Zig's front would refuse, or take and forget: link.c hands it to lld itself. */
list for_lld;

static bool is_relative_to_origin(const char *entry) { return under(entry, "$ORIGIN") || under(entry, "${ORIGIN}"); }

/* -rpath with what is relative to the wheel's own files: the other entries name folders of this machine. */
static void push_rpath(list *kept, const char *value) {
    char *copy = checked(strdup(value)), *stays = checked(calloc(strlen(value) + 1, 1)), *state = NULL;
    for (char *entry = strtok_r(copy, ":", &state); entry; entry = strtok_r(NULL, ":", &state))
        if (is_relative_to_origin(entry)) strcat(*stays ? strcat(stays, ":") : stays, entry);
    if (*stays) {
        push(kept, "-rpath");
        push(kept, stays);
    }
    free(copy);
    free(stays);
}

/* ---- one word ------------------------------------------------------------------------------------------------ */

/* A word, without its dashes and what stands after =, and its value, which may be the next word. */
typedef struct {
    const char *word, *name, *value;
    bool joined;
} option;

/* `out` is what the driver gets, `kept` what Zig gets as words of the linker. */
typedef void action(const option *one, list *out, list *kept);

static void push_option(list *to, const option *one) {
    push(to, one->word);
    if (one->value && !one->joined) push(to, one->value);
}

static void zig(const option *one, list *out, list *kept) {
    (void)out;
    push_option(kept, one);
}
/* Where lld gets a word from that Zig's front does not know: clang hands all on. */
static list *past_zig(list *kept) { return has_gcc() ? kept : &for_lld; }

static void lld(const option *one, list *out, list *kept) {
    (void)out;
    push_option(past_zig(kept), one);
}
static void drop(const option *one, list *out, list *kept) {
    (void)one;
    (void)out;
    (void)kept;
}

static void push_two(list *kept, const char *word, const char *value) {
    if (!value) return;
    push(kept, word);
    push(kept, value);
}

static void soname(const option *one, list *out, list *kept) {
    (void)out;
    push_two(kept, "-soname", one->value);
}
static void undefined(const option *one, list *out, list *kept) {
    (void)out;
    push_two(kept, "-u", one->value);
}
static void rpath(const option *one, list *out, list *kept) {
    (void)out;
    if (one->value) push_rpath(kept, one->value);
}
static void script(const option *one, list *out, list *kept) {
    (void)out;
    push_two(kept, "-T", one->value);
}

static void library(const option *one, list *out, list *kept) {
    (void)kept;
    if (one->value) push_joined(out, "-l", one->value);
}

static void library_folder(const option *one, list *out, list *kept) {
    (void)kept;
    const char *found = one->value ? folder_for_target(one->value) : NULL;
    const char *over = one->value ? laid_over(one->value) : NULL;
    if (over) push_joined(out, "-L", over);
    if (found) push_joined(out, "-L", found);
}

/* ld takes a script that names symbols which are not there; of lld that has to be asked. */
static void version_script(const option *one, list *out, list *kept) {
    (void)out;
    push(kept, "--undefined-version");
    push_option(kept, one);
}

/* What --pop-state brings back: the words that were last said, of each kind. */
static const char *state[] = {"--no-as-needed", "--no-whole-archive", "-Bdynamic"};
enum { KINDS = sizeof state / sizeof *state, DEPTH = 16 };
static const char *pushed[DEPTH][KINDS];
static size_t depth;

static void remember(const option *one, list *out, list *kept) {
    static const char *const words[KINDS][2] = {
        {"--as-needed", "--no-as-needed"},
        {"--whole-archive", "--no-whole-archive"},
        {"-Bstatic", "-Bdynamic"},
    };
    for (size_t kind = 0; kind < KINDS; kind++)
        for (size_t i = 0; i < 2; i++)
            if (same(one->name, words[kind][i] + strspn(words[kind][i], "-"))) state[kind] = words[kind][i];
    zig(one, out, kept);
}

static void push_state(const option *one, list *out, list *kept) {
    (void)one;
    (void)out;
    (void)kept;
    if (depth < DEPTH) memcpy(pushed[depth++], state, sizeof state);
}

static void pop_state(const option *one, list *out, list *kept) {
    (void)one;
    (void)out;
    if (!depth) return;
    depth--;
    for (size_t kind = 0; kind < KINDS; kind++) {
        if (!same(state[kind], pushed[depth][kind])) push(kept, pushed[depth][kind]);
        state[kind] = pushed[depth][kind];
    }
}

/* -z WORD: of these, Zig knows some and refuses all others. */
static void keyword(const option *one, list *out, list *kept) {
    static const char *const known[] = {
        "notext", "origin", "now",     "relro",       "nodelete",    "defs",
        "undefs", "lazy",   "norelro", "nocopyreloc", "noexecstack", NULL,
    };
    static const struct {
        const char *word, *why;
    } dropped[] = {
        {"text", "lld does so unless it is told otherwise"},
        {"combreloc", "lld does so"},
        {"separate-code", "pages suit the loader as lld lays them out"},
        {"noseparate-code", "pages suit the loader as lld lays them out"},
        {"pack-relative-relocs", "needs a loader that is newer than any policy"},
        {"max-page-size=", "the architecture's ABI has it"},
    };
    (void)out;
    if (!one->value) return;
    for (size_t i = 0; i < sizeof dropped / sizeof *dropped; i++) {
        const char *word = dropped[i].word;
        bool fits = word[strlen(word) - 1] == '=' ? starts(one->value, word) : same(one->value, word);
        if (!fits) continue;
        explain(one->value, dropped[i].why);
        return;
    }
    bool knows = among(one->value, known) || starts(one->value, "common-page-size=");
    push_two(knows ? kept : past_zig(kept), "-z", one->value);
}

/* ld knows libz.a as libz too. */
static void exclude_libs(const option *one, list *out, list *kept) {
    (void)out;
    if (!one->value) return;
    char *copy = checked(strdup(one->value)), *state = NULL;
    for (char *name = strtok_r(copy, ",:", &state); name; name = strtok_r(NULL, ",:", &state)) {
        char word[PATH_MAX];
        bool whole = same(name, "ALL") || strchr(name, '.');
        snprintf(word, sizeof word, "--exclude-libs=%s%s", name, whole ? "" : ".a");
        push(past_zig(kept), word);
    }
    free(copy);
}

static const struct {
    const char *names;
    bool takes;
    action *act;
    const char *why;
} rules[] = {
    {"soname h", true, soname, NULL},
    {"rpath R", true, rpath, NULL},
    {"L library-path", true, library_folder, NULL},
    {"l library", true, library, NULL},
    {"z", true, keyword, NULL},
    {"T script", true, script, NULL},
    {"u undefined", true, undefined, NULL},
    {"version-script", true, version_script, NULL},
    {"push-state", false, push_state, NULL},
    {"pop-state", false, pop_state, NULL},
    {"as-needed no-as-needed whole-archive no-whole-archive Bstatic Bdynamic", false, remember, NULL},
    {"e entry wrap hash-style build-id sort-section compress-debug-sections image-base", true, zig, NULL},
    {"gc-sections no-gc-sections start-group end-group Bsymbolic enable-new-dtags disable-new-dtags sort-common "
     "undefined-version no-undefined-version no-undefined eh-frame-hdr no-eh-frame-hdr export-dynamic E "
     "allow-shlib-undefined no-allow-shlib-undefined fatal-warnings no-fatal-warnings print-gc-sections version",
     false, zig, NULL},
    {"exclude-libs", true, exclude_libs, NULL},
    {"dynamic-list dynamic-list-data export-dynamic-symbol export-dynamic-symbol-list unresolved-symbols "
     "defsym init fini retain-symbols-file require-defined y trace-symbol section-start auxiliary f filter F "
     "orphan-handling icf undefined-glob audit depaudit",
     true, lld, NULL},
    {"s strip-all x discard-all X discard-locals S strip-debug discard-none", false, drop,
     "where debug information is not wanted, every link is stripped already"},
    {"O0 O1 O2 O3 O", false, drop, "lld merges constants from 1 on, which GNU ld does in another way"},
    {"copy-dt-needed-entries no-copy-dt-needed-entries add-needed no-add-needed", false, drop,
     "lld never takes over what a library needs"},
    {"rpath-link", true, drop, "lld reads no libraries of libraries"},
    {"no-export-dynamic", false, drop, "as without"},
    {"relax no-relax", false, drop, "which of two ways to say the same is shorter"},
    {"ld-generated-unwind-info no-ld-generated-unwind-info", false, drop, "lld has one way to find functions"},
    {"fix-cortex-a53-835769 no-fix-cortex-a53-835769 no-fix-cortex-a53-843419", false, drop,
     "the compiler's affair, or as without"},
    {"m EL EB dynamic-linker I no-dynamic-linker oformat", true, drop, "the target's are known"},
    {"hash-size reduce-memory-overheads no-keep-memory threads no-threads thread-count spare-dynamic-tags", false, drop,
     "how the linker goes about it"},
    {"plugin plugin-opt", true, drop, "gcc's; lld reads bitcode without one"},
    {"package-metadata", true, drop, "a distribution's note"},
    {"Map", true, drop, "a report"},
    {"print-map M t trace cref stats verbose demangle no-demangle error-limit color-diagnostics traditional-format "
     "warn-common warn-once warn-alternate-em warn-multiple-gp warn-shared-textrel no-warn-mismatch "
     "no-warn-search-mismatch accept-unknown-input-arch no-accept-unknown-input-arch",
     false, drop, "how messages look"},
    {"( )", false, drop, "lld looks into archives again by itself"},
};

static bool is_one_of(const char *name, const char *names) {
    size_t length = strlen(name);
    for (const char *at = names; (at = strstr(at, name)); at++)
        if (length && (at == names || at[-1] == ' ') && (at[length] == ' ' || !at[length])) return true;
    return false;
}

/* -O1, -Lfolder, -lname, -znow, -Rfolder: the value is in the word itself. */
static bool is_joined(const char *word, option *one) {
    static char letter[2];
    if (word[0] != '-' || !word[1] || !word[2] || !strchr("LlzRhTuy", word[1])) return false;
    static const char *const long_words[] = {
        "-library",
        "-library-path",
        "-undefined",
        "-trace-symbol",
        "-undefined-version",
        "-undefined-glob",
        "-unresolved-symbols",
        "-trace",
        "-traditional-format",
        "-threads",
        "-thread-count",
        "-hash-style",
        "-hash-size",
        "-rpath",
        NULL,
    };
    size_t length = strcspn(word, "=");
    for (const char *const *other = long_words; *other; other++)
        if (strlen(*other) == length && strncmp(word, *other, length) == 0) return false;
    if (starts(word, "-Ttext") || starts(word, "-Tdata") || starts(word, "-Tbss") || starts(word, "-ld-gen"))
        return false;
    letter[0] = word[1];
    *one = (option){.word = word, .name = letter, .value = word + 2, .joined = true};
    return true;
}

/* Gives how many words it took. */
static size_t translate_linker_word(list *out, list *kept, const char *word, const char *next) {
    static char name[PATH_MAX];
    static bool was_lld; /* a word without a dash is the value of the one before */
    if (word[0] != '-') {
        const char *over = laid_over(word);
        push(was_lld ? past_zig(kept) : kept, over ? over : word);
        return 1;
    }
    option one = {.word = word, .name = name};
    bool letter = is_joined(word, &one);
    if (!letter) {
        snprintf(name, sizeof name, "%s", word + strspn(word, "-"));
        char *equals = strchr(name, '=');
        if (equals) {
            *equals = 0;
            one.value = strchr(word, '=') + 1;
            one.joined = true;
        }
    }
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        if (!is_one_of(one.name, rules[i].names)) continue;
        bool apart = rules[i].takes && !one.joined && !same(one.name, "build-id");
        if (apart) one.value = next;
        rules[i].act(&one, out, kept);
        if (rules[i].why) explain(word, rules[i].why);
        was_lld = rules[i].act == lld;
        return apart && next ? 2 : 1;
    }
    push(past_zig(kept), word);
    was_lld = true;
    return 1;
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
    for (size_t i = 0; i < words.count;)
        i += translate_linker_word(out, &kept, words.items[i], i + 1 < words.count ? words.items[i + 1] : NULL);
    for (size_t i = 0; i < kept.count; i++) {
        push(out, "-Xlinker");
        push(out, kept.items[i]);
    }
    return next - at;
}

/* -l:FILE: the file in the first folder that has it. Gives 0 where none has. */
size_t translate_library_file(list *out, const list *in, const char *word) {
    const char *name = word + strlen("-l:");
    char path[2 * PATH_MAX];
    for (size_t i = 0; i < in->count + conf.libs.count; i++) {
        const char *asked = i < in->count ? in->items[i] : conf.libs.items[i - in->count];
        if (i < in->count) {
            if (!starts(asked, "-L")) continue;
            if (asked[2]) asked += 2;
            else if (i + 1 < in->count) asked = in->items[i + 1];
        }
        const char *found = folder_for_target(asked);
        if (!found) continue;
        snprintf(path, sizeof path, "%s/%s", found, name);
        if (access(path, R_OK) == 0) {
            const char *over = laid_over(path);
            push(out, over ? over : path);
            return 1;
        }
    }
    return 0;
}
