/* Where clang has to be told to do as gcc does, and what of gcc's it does not know. */
#include "gcc.h"

#include <string.h>

/* ---- warnings ------------------------------------------------------------------------------------------------ */

/* What gcc (before 14) warns about in C, and clang takes for an error unless it is told otherwise.
 *
 * A probe such as setuptools' `has_function` calls a function without a declaration, and counts on a warning: as an
 * error it says that there is no such function, and a feature is gone without a word. What nothing defines is found by
 * the linker and the audit. */
static const char *const warnings[] = {
    "-Wno-error=implicit-function-declaration", /* f(1); with no declaration of f */
    "-Wno-error=implicit-int",                  /* static x = 1; */
    "-Wno-error=int-conversion",                /* char *p = 1; */
    "-Wno-error=incompatible-pointer-types",    /* int *p = &a_double; */
    "-Wno-error=incompatible-function-pointer-types",
    "-Wno-error=return-type", /* return; in a function that gives a value */
    "-Wno-error=return-mismatch",
    (const char *)0,
};
static const char *const none[] = {(const char *)0};

static int is(const char *word, const char *other) { return strcmp(word, other) == 0; }

const char *const *gcc_warnings(int count, char *const *words) {
    int errors = 0, silent = 0;
    for (int i = 0; i < count; i++) {
        if (is(words[i], "-w")) silent = 1;
        if (is(words[i], "-Werror") || is(words[i], "-pedantic-errors") || is(words[i], "-Werror=pedantic")) errors = 1;
        if (is(words[i], "-Wno-error")) errors = 0;
    }
    return errors && !silent ? none : warnings;
}

/* ---- the frame pointer --------------------------------------------------------------------------------------- */

int gcc_omits_frame_pointer(int count, char *const *words) {
    static const char *const kept[] = {
        "-fno-omit-frame-pointer", "-mno-omit-leaf-frame-pointer", "-momit-leaf-frame-pointer", "-pg", (const char *)0,
    };
    int omits = 0;
    for (int i = 0; i < count; i++) {
        for (const char *const *flag = kept; *flag; flag++)
            if (is(words[i], *flag)) return 0;
        if (is(words[i], "-O0")) omits = 0;
        else if (strncmp(words[i], "-O", 2) == 0 || is(words[i], "-fomit-frame-pointer")) omits = 1;
    }
    return omits;
}

/* ---- fused operations ---------------------------------------------------------------------------------------- */

/* gcc's manual, -ffp-contract: across statements, but not at all in the ISO dialects of C. clang has a middle way. */
const char *gcc_contraction(int count, char *const *words, int cxx) {
    int optimises = 0, iso = 0;
    for (int i = 0; i < count; i++) {
        if (strncmp(words[i], "-O", 2) == 0) optimises = !is(words[i], "-O0");
        if (is(words[i], "-ansi")) iso = 1;
        if (strncmp(words[i], "-std=", 5) == 0) iso = strncmp(words[i], "-std=gnu", 8) != 0;
    }
    if (!optimises) return (const char *)0;
    return iso && !cxx ? "-ffp-contract=off" : "-ffp-contract=fast-honor-pragmas";
}

/* ---- infinities and NaN ---------------------------------------------------------------------------------------- */

/* -ffast-math says that results are neither infinite nor NaN. gcc leaves out tests for them; to clang, such a constant,
 * argument or result is undefined: `float best = INFINITY` then finds nothing, and `return NAN` gives any number. The
 * macros stay as gcc defines them. */
const char *const *gcc_finite(int count, char *const *words) {
    static const char *const fast[] = {
        "-Wno-deprecated-ofast",    "-fno-finite-math-only", "-U__FINITE_MATH_ONLY__",
        "-D__FINITE_MATH_ONLY__=1", "-D__FAST_MATH__=1",     (const char *)0,
    };
    static const char *const finite[] = {
        "-fno-finite-math-only",
        "-U__FINITE_MATH_ONLY__",
        "-D__FINITE_MATH_ONLY__=1",
        (const char *)0,
    };
    static const char *const neither[] = {"-Wno-deprecated-ofast", "-fno-finite-math-only", (const char *)0};
    enum { UNSAID = -1 }; /* gcc takes the word for one flag before that for many, wherever they stand */
    int own = UNSAID, many = UNSAID, ofast = 0, asked = 0;
    for (int i = 0; i < count; i++) {
        if (strncmp(words[i], "-O", 2) == 0) ofast = is(words[i], "-Ofast");
        if (is(words[i], "-ffast-math")) many = 1;
        if (is(words[i], "-fno-fast-math")) many = 0;
        if (is(words[i], "-ffinite-math-only")) own = 1;
        if (is(words[i], "-fno-finite-math-only")) own = 0;
        asked |= is(words[i], "-Ofast");
    }
    int all = many == UNSAID ? ofast : many;
    if (own == 1 || (own == UNSAID && all)) return all ? fast : finite;
    return asked || all ? neither : none;
}

/* ---- optimisers ---------------------------------------------------------------------------------------------- */

/* Flags that say how gcc is to go about it and not what the code has to do, without -f or -fno-. clang knows none of
 * them, or warns that it takes no notice: -Werror would make an error of that, and a probe a "no". */
static const struct {
    const char *names, *why;
} optimisers[] = {
    {"aggressive-loop-optimizations branch-count-reg ivopts loop-block loop-flatten loop-nest-optimize loop-optimize "
     "loop-parallelize-all loop-strip-mine loop-unroll-and-jam move-loop-invariants move-loop-stores peel-loops "
     "predictive-commoning prefetch-loop-arrays rerun-loop-opt split-ivs-in-unroller split-loops strength-reduce "
     "unroll-all-loops unroll-completely-grow-size unsafe-loop-optimizations unswitch-loops "
     "variable-expansion-in-unroller version-loops-for-strides graphite*",
     "LLVM has loop passes of its own"},
    {"tree-* simd-cost-model* vect-cost-model*", "passes over gcc's trees; clang vectorises by its own measure"},
    {"ipa-* devirtualize* whole-program partial-inlining indirect-inlining early-inlining inline-limit* "
     "inline-small-functions inline-functions-called-once lto-*",
     "gcc's passes across functions; LLVM inlines and specialises by its own measure"},
    {"ira-* lra-remat caller-saves rename-registers regmove optimize-register-move live-range-shrinkage "
     "cprop-registers web split-wide-types* conserve-stack stack-reuse*",
     "gcc's register allocator and stack slots"},
    {"sched-* sched2-* sched-stalled-insns* schedule-* reschedule-modulo-scheduled-loops selective-scheduling* "
     "sel-sched-* modulo-sched* delayed-branch",
     "gcc's schedulers of instructions"},
    {"gcse* cse-follow-jumps cse-skip-blocks rerun-cse-after-loop code-hoisting hoist-adjacent-loads forward-propagate "
     "function-cse store-merging dce dse allocation-dce ssa-backprop ssa-phiopt",
     "removes what is computed twice or never; LLVM does so without being asked"},
    {"align-jumps* align-labels* align-loops limit-function-alignment reorder-blocks* reorder-functions "
     "profile-reorder-functions toplevel-reorder unit-at-a-time section-anchors",
     "where code lies; clang writes it in the order of the source"},
    {"bit-tests combine-stack-adjustments compare-elim crossjumping if-conversion* jump-tables-* peephole peephole2 "
     "ree zee shrink-wrap* split-paths thread-jumps tracer auto-inc-dec defer-pop branch-target-load-optimize* "
     "btr-bb-exclusive force-addr stdarg-opt",
     "how gcc picks and joins instructions"},
    {"expensive-optimizations guess-branch-probability branch-probabilities vpt profile-partial-training "
     "optimize-strlen printf-return-value fold-simple-inlines merge-constants delete-dead-exceptions nothrow-opt "
     "isolate-erroneous-paths-* lifetime-dse* live-patching* unconstrained-commons keep-gc-roots-live "
     "allow-store-data-races inline-atomics",
     "what gcc may conclude; clang concludes less, or by a flag of another name"},
    {"float-store", "for processors whose registers hold more than a double"},
    {"gnu-unique", "clang has no unique symbols"},
    {"var-tracking*", "for debug information of gcc's"},
    {"diagnostics-urls* diagnostics-generate-patch diagnostics-show-caret diagnostics-show-labels "
     "diagnostics-show-location* diagnostics-show-cwe diagnostics-show-path-depths diagnostics-path-format* "
     "diagnostics-plain-output diagnostics-column-unit* diagnostics-column-origin* diagnostics-minimum-margin-width* "
     "max-errors* track-macro-expansion*",
     "how gcc's messages look"},
    {"analyzer* callgraph-info*", "what gcc tells of the code beside compiling it"},
    {"argument-alias argument-noalias* keep-static-functions",
     "gcc itself takes no notice, or keeps what nobody calls"},
    {"opt-info* mem-report* time-report* profile-report report-bug dump-* checking* compare-debug*",
     "reports for gcc's own developers"},
    {"random-seed*", "clang's names are the same in every run"},
};

int gcc_matches(const char *pattern, size_t length, const char *word) {
    if (length && pattern[length - 1] == '*') return strncmp(word, pattern, length - 1) == 0;
    return strlen(word) == length && strncmp(word, pattern, length) == 0;
}

const char *gcc_optimiser(const char *word) {
    if (strncmp(word, "-f", 2) != 0) return (const char *)0;
    static const char *const clangs[] = {"tree-vectorize", "tree-slp-vectorize"};
    const char *name = word + (strncmp(word, "-fno-", 5) == 0 ? 5 : 2);
    for (size_t i = 0; i < sizeof clangs / sizeof *clangs; i++)
        if (is(name, clangs[i])) return (const char *)0;
    for (size_t i = 0; i < sizeof optimisers / sizeof *optimisers; i++)
        for (const char *at = optimisers[i].names; *at;) {
            size_t length = strcspn(at, " ");
            if (gcc_matches(at, length, name)) return optimisers[i].why;
            at += length + (at[length] == ' ');
        }
    return (const char *)0;
}

/* ---- what clang passes over ---------------------------------------------------------------------------------- */

/* Flags that change what code does, which clang takes and leaves out: the code would be another one, silently. */
static const struct {
    const char *word, *why;
} passed_over[] = {
    {"-fnon-call-exceptions", "exceptions of signal handlers end the program"},
    {"-fsingle-precision-constant", "constants stay double"},
    {"-funsigned-bitfields", "plain bit fields stay signed"},
};

const char *gcc_alone(const char *word) {
    for (size_t i = 0; i < sizeof passed_over / sizeof *passed_over; i++)
        if (is(word, passed_over[i].word)) return passed_over[i].why;
    return (const char *)0;
}
