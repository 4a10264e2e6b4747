/* Flags of the compiler: two tables say what becomes of each. */
#include "zigcc.h"
#include "../shared/gcc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* -gcc-... does not exist in one dash: only flags for debug information start so. */
bool is_debug_flag(const char *flag) {
    return starts(flag, "-g") || starts(flag, "-fdebug-") || starts(flag, "-feliminate-unused-debug-");
}

bool is_cxx_source(const char *word) {
    static const char *const endings[] = {".cc", ".cp", ".cxx", ".cpp", ".CPP", ".c++", ".C", ".ii", NULL};
    return ends_among(word, endings);
}

bool is_source(const char *word) {
    static const char *const endings[] = {".c", ".i", ".m", ".s", ".S", NULL};
    return is_cxx_source(word) || ends_among(word, endings);
}

bool wants_cxx(const list *in) {
    for (size_t i = 0; i < in->count; i++) {
        const char *word = in->items[i];
        if (same(word, "-o")) {
            i++;
            continue;
        }
        if (is_cxx_source(word) || starts(word, "-std=c++") || starts(word, "-std=gnu++")) return true;
        if (same(word, "-lstdc++") || same(word, "-lc++") || starts(word, "-xc++")) return true;
        if (same(word, "-x") && i + 1 < in->count && starts(in->items[i + 1], "c++")) return true;
    }
    return false;
}

/* Words that the word after them belongs to, and so is no source. */
bool takes_value(const char *word) {
    static const char *const words[] = {
        "-o",           "-I",
        "-L",           "-D",
        "-U",           "-x",
        "-include",     "-imacros",
        "-isystem",     "-idirafter",
        "-iquote",      "-iprefix",
        "-iwithprefix", "-iwithprefixbefore",
        "-isysroot",    "--sysroot",
        "-MF",          "-MT",
        "-MQ",          "-Xlinker",
        "-Xclang",      "-Xpreprocessor",
        "-Xassembler",  "-target",
        "-T",           "-u",
        "-z",           "-e",
        "--param",      "-mllvm",
        "-arch",        "-aux-info",
        NULL,
    };
    return among(word, words);
}

bool links(const list *in) {
    static const char *const stages[] = {"-c", "-S", "-E", "-M", "-MM", "-fsyntax-only", NULL};
    for (size_t i = 0; i < in->count; i++)
        if (among(in->items[i], stages)) return false;
    return true;
}

/* Whether there is nothing to compile before the link. */
bool links_objects(const list *in) {
    for (size_t i = 0; i < in->count; i++)
        if (is_source(in->items[i])) return false;
    return links(in);
}

/* ---- every flag ---------------------------------------------------------------------------------------------- */

typedef struct {
    list *out;
    const list *in;
    size_t at;
    const char *word, *next;
    bool linking, only_objects;
} place;

/* Gives how many words it took; with 0 the next row that matches is asked. */
typedef size_t action(const place *here);

static size_t drop(const place *here) {
    (void)here;
    return 1;
}
static size_t drop_with_value(const place *here) { return here->next ? 2 : 1; }
static size_t drop_from_link(const place *here) { return here->only_objects; }
static size_t keep(const place *here) {
    const char *over = here->linking && here->word[0] != '-' ? laid_over(here->word) : NULL;
    push(here->out, over ? over : here->word);
    return 1;
}
static size_t folder(const place *here) { return translate_folder(here->out, here->word, here->next); }
static size_t linker(const place *here) { return translate_linker_words(here->out, here->in, here->at); }
static size_t library_file(const place *here) { return translate_library_file(here->out, here->in, here->word); }
static size_t processor(const place *here) {
    translate_cpu(here->out, here->word);
    return 1;
}
static size_t fpu(const place *here) { return translate_fpu(here->out, here->word); }
static size_t unwinder(const place *here) {
    push(here->out, "-lunwind");
    return 1;
}

/* cgo learns the types of C from debug information: of the standard input, and for clang of a file. */
static bool is_of_cgo(const place *here) {
    bool is_its = false;
    for (size_t i = 0; i < here->in->count; i++)
        is_its = is_its || same(here->in->items[i], "-") || strstr(here->in->items[i], "/cgo-gcc-input-");
    return is_its && !here->linking && same(here->word, "-gdwarf-2");
}

static size_t debug(const place *here) { return !conf.debug && is_debug_flag(here->word) && !is_of_cgo(here); }

/* Clang has no flag for signaling NaN alone; this one keeps every operation that would make one quiet. */
static size_t trapping(const place *here) {
    push(here->out, "-ftrapping-math");
    return 1;
}

static size_t exports(const place *here) {
    push(here->out, "-rdynamic");
    return 1;
}

static size_t optimiser(const place *here) {
    const char *why = gcc_optimiser(here->word);
    if (why) explain(here->word, why);
    return why != NULL;
}

/* -u SYMBOL, -z now: Zig knows them as words of the linker. */
static size_t linker_option(const place *here) {
    list words = {0};
    push_joined(&words, "-Wl,", here->word);
    if (!here->next || here->word[2]) return translate_linker_words(here->out, &words, 0) ? 1 : 0;
    push(&words, "-Xlinker");
    push(&words, here->next);
    translate_linker_words(here->out, &words, 0);
    return 2;
}

/* -Wp,-DNAME,-UNAME: what is defined goes to the driver; undefining is distributions' way to change their own flags.
 * -Wp,-MD,FILE: as gcc's documentation says, -MD -MF FILE, which Zig and ccache know. -Wp,-v asks for the folders of
 * headers, as -v does. */
static size_t preprocessor(const place *here) {
    list all = {0};
    split(&all, here->word + strlen("-Wp,"));
    for (size_t i = 0; i < all.count; i++) {
        const char *word = all.items[i];
        if (starts(word, "-U")) continue;
        if (starts(word, "-D") || same(word, "-v")) {
            push(here->out, word);
            continue;
        }
        if (!same(word, "-MD") && !same(word, "-MMD")) {
            push_joined(here->out, "-Wp,", word);
            continue;
        }
        push(here->out, word);
        if (i + 1 < all.count) {
            push(here->out, "-MF");
            push(here->out, all.items[++i]);
        }
    }
    return 1;
}

/* Thin, as gcc's: its link works on many parts at a time too, and lld can keep them (bitcode.c). At the link the flag is
 * left out: the linker knows bitcode when it sees it, and Zig would build a second libc++ for the flag, a minute on every
 * machine. */
static size_t lto(const place *here) {
    if (!here->linking) push(here->out, same(here->word, "-flto=full") ? "-flto" : "-flto=thin");
    return 1;
}

/* A match that ends with * is the beginning of a word. */
typedef struct {
    const char *match;
    action *act;
    const char *why;
} rule;

/* What Zig's front or Zig's own runtimes lack: with the gcc of an image these words mean what they mean to gcc. */
static const rule for_zig[] = {
    {"-Os", drop_from_link, "Zig would build other runtimes for it"},
    {"-Oz", drop_from_link, "Zig would build other runtimes for it"},
    {"-fno-asynchronous-unwind-tables", drop_from_link, "Zig would build other runtimes for it"},
    {"-fno-unwind-tables", drop_from_link, "Zig would build other runtimes for it"},
    {"-march=*", drop_from_link, "Zig would build other runtimes for it"},
    {"-mcpu=*", drop_from_link, "Zig would build other runtimes for it"},
    {"-mfpu=*", drop_from_link, "Zig would build other runtimes for it"},
    {"-lgcc_s", unwinder, NULL},
    {"-lstdc++", drop, "c++ links its own"},
    {"-static-libgcc", drop, "Zig's runtimes are static"},
    {"-static-libstdc++", drop, "Zig's runtimes are static"},
    {"-latomic", drop, "compiler-rt has what libatomic has"},
    {"-lgcc", drop, "compiler-rt has what libgcc has"},
    {"-march=*", processor, NULL},
    {"-mcpu=*", processor, NULL},
    {"-mfpu=*", fpu, NULL},
};

static const rule rules[] = {
    {"-isystem*", folder, NULL},
    {"-idirafter*", folder, NULL},
    {"-iquote*", folder, NULL},
    {"-I*", folder, NULL},
    {"-L*", folder, NULL},
    {"-isysroot*", folder, NULL},
    {"--sysroot*", folder, NULL},
    {"-Wl,*", linker, NULL},
    {"-Xlinker", linker, NULL},
    {"-u", linker_option, NULL},
    {"-z*", linker_option, NULL},
    {"-l:*", library_file, NULL},
    {"-target", drop_with_value, "the target is not the caller's to choose"},
    {"--target=*", drop, "the target is not the caller's to choose"},
    {"-rpath", drop_with_value, "it names a folder of this machine"},
    {"-R", drop_with_value, "it names a folder of this machine"},
    {"-R/*", drop, "it names a folder of this machine"},
    {"-Wp,*", preprocessor, NULL},
    {"-g*", debug, "debug information was not asked for"},
    {"-fdebug-*", debug, "debug information was not asked for"},
    {"-feliminate-unused-debug-*", debug, "debug information was not asked for"},
    {"-export-dynamic", exports, NULL},
    {"-fomit-frame-pointer", drop, "main.c says so in other words"},
    {"-fsignaling-nans", trapping, NULL},
    {"-flto", lto, NULL},
    {"-flto=*", lto, NULL},
    {"-lpython3*", drop, "extensions do not link Python: the interpreter that loads them has it"},
    {"-s", drop, "where debug information is not wanted, every link is stripped already"},
    {"-pipe", drop, "clang has no steps that a pipe could join"},
    {"-m64", drop, "the target is not the caller's to choose"},
    {"-march=native", drop, "this machine's processor is not the target's"},
    {"-mcpu=native", drop, "this machine's processor is not the target's"},
    {"-mtune=*", drop, "gcc's names for processors"},
    {"-mbranch-protection=standard", drop, "the policy's baseline knows no more than its default"},
    {"-specs=*", drop, "gcc's own configuration"},
    {"-fuse-ld=*", drop, "lld is the linker"},
    {"--gcc-toolchain=*", drop, "there is no gcc"},
    {"--param", drop_with_value, "numbers of gcc's passes"},
    {"--param=*", drop, "numbers of gcc's passes"},
    {"-mlow-precision-*", drop, "AArch64: allows gcc less exact division, and asks for nothing"},
    {"-mno-low-precision-*", drop, "AArch64: clang divides exactly"},
    {"-mpc-relative-literal-loads", drop, "AArch64: how gcc loads constants"},
    {"-moverride=*", drop, "AArch64: for gcc's developers"},
    {"-mverbose-cost-dump", drop, "AArch64: for gcc's developers"},
    {"-mfix-cortex-a53-843419", drop, "AArch64: lld does it where --fix-cortex-a53-843419 asks"},
    {"-mno-fix-cortex-a53-843419", drop, "AArch64: as without"},
    {"-fno-semantic-interposition", drop, "as clang does without it"},
    {"-fno-plt", drop, "clang calls functions of other libraries in one way on this target"},
    {"-ffat-lto-objects", drop, "lld reads bitcode"},
    {"-fno-fat-lto-objects", drop, "objects have no machine code beside bitcode"},
    {"-fuse-linker-plugin", drop, "lld reads bitcode without a plugin"},
    {"-fstack-clash*", drop, "distributions' hardening, which Zig knows for few targets"},
    {"-fcf-protection*", drop, "for x86"},
    {"-fno-trapv", drop, "as without"},
    {"-fno-signaling-nans", drop, "as without"},
    {"-fno-single-precision-constant", drop, "as without"},
    {"-fno-harden-*", drop, "as without"},
    {"-fno-cf-protection", drop, "as without"},
    {"-fno-instrument-functions", drop, "as without"},
    {"-fno-stack-limit", drop, "as without"},
    {"-fno-trampolines", drop, "as without"},
    {"-fno-pcc-struct-return", drop, "as without"},
    {"-fno-reg-struct-return", drop, "as without"},
    {"-fno-inhibit-size-directive", drop, "as without"},
    {"-f*", optimiser, NULL},
};

static size_t apply(const rule *table, size_t count, const place *here) {
    for (size_t i = 0; i < count; i++) {
        if (!gcc_matches(table[i].match, strlen(table[i].match), here->word)) continue;
        size_t taken = table[i].act(here);
        if (taken && table[i].why) explain(here->word, table[i].why);
        if (taken) return taken;
    }
    return 0;
}

static size_t translate_word(const place *here) {
    size_t taken = apply(rules, sizeof rules / sizeof *rules, here);
    if (!taken && !has_gcc()) taken = apply(for_zig, sizeof for_zig / sizeof *for_zig, here);
    return taken ? taken : keep(here);
}

void translate(list *out, const list *in) {
    place here = {.out = out, .in = in, .linking = links(in), .only_objects = links_objects(in)};
    while (here.at < in->count) {
        here.word = in->items[here.at];
        here.next = here.at + 1 < in->count ? in->items[here.at + 1] : NULL;
        here.at += translate_word(&here);
    }
}
