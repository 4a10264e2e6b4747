/* Which compiler serves a command: clang, unless only gcc can. */
#include "driver.h"

#include "../shared/gcc.h"

#include <string.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static bool is_one_of(const char *word, const char *const *patterns, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (gcc_matches(patterns[i], strlen(patterns[i]), word)) return true;
    return false;
}

/* ---- questions ----------------------------------------------------------------------------------------------- */

/* What builds ask of a compiler beside compiling: the container's own gcc has the answers. */
static const char *const questions[] = {
    "-dumpmachine", "-dumpversion", "-dumpfullversion", "-dumpspecs", "-print-*", "--print-*",
};

/* -v or -### with nothing to compile asks for the version, too. */
bool asks(const command *given) {
    bool verbose = false, others = false;
    for (int at = 1; at < given->count; at++) {
        const char *word = given->words[at];
        if (is_one_of(word, questions, LENGTH(questions))) return true;
        if (is(word, "-v") || is(word, "-###")) verbose = true;
        else others = true;
    }
    return verbose && !others;
}

/* ---- before clang is tried ----------------------------------------------------------------------------------- */

static const char *const fortran[] = {"f", "for", "ftn", "fpp", "f90", "f95", "f03", "f08",
                                      "F", "FOR", "FTN", "FPP", "F90", "F95", "F03", "F08"};
static const char *const sources[] = {"c",   "cc", "cp", "cpp", "cxx", "c++", "C", "CC",
                                      "CPP", "i",  "ii", "m",   "mm",  "s",   "S", "sx"};
static const char *const not_linking[] = {"-c", "-S", "-E", "-M", "-MM", "-fsyntax-only"};

static bool ends_in(const char *word, const char *const *endings, size_t count) {
    const char *dot = strrchr(word, '.');
    return *word != '-' && dot && is_one_of(dot + 1, endings, count);
}

/* Whether a command only links objects and libraries. */
bool links_only(const command *given) {
    for (int at = 1; at < given->count; at++) {
        const char *word = given->words[at];
        if (is_one_of(word, not_linking, LENGTH(not_linking)) || is(word, "-") || starts(word, "-x")) return false;
        if (ends_in(word, sources, LENGTH(sources)) || ends_in(word, fortran, LENGTH(fortran))) return false;
    }
    return true;
}

/* What no clang can do, or what clang would do for a runtime that the container has not. */
bool only_gcc_serves(const command *given) {
    if (is(given->name, "gfortran")) return true;
    bool openmp = false;
    for (int at = 1; at < given->count; at++) {
        const char *word = given->words[at];
        if (ends_in(word, fortran, LENGTH(fortran)) || starts(word, "-fplugin") || is(word, "-fopenacc")) return true;
        if ((gcc_alone(word) || is(word, "-fsignaling-nans")) && !links_only(given)) return true;
        if (starts(word, "-xf") || (is(word, "-x") && at + 1 < given->count && given->words[at + 1][0] == 'f'))
            return true;
        if (is(word, "-fopenmp")) openmp = true;
        if (is(word, "-fno-openmp")) openmp = false;
    }
    return openmp && !links_only(given);
}

/* ---- after clang has failed ---------------------------------------------------------------------------------- */

/* Whether an error says no more than that a symbol is nowhere. For gcc it would be nowhere, too; but what begins with
 * two underscores may be a function of clang's own runtime. */
static bool is_missing_symbol(const char *line) {
    static const char said[] = "undefined symbol: ";
    const char *at = strstr(line, said);
    return at && !starts(at + sizeof said - 1, "__");
}

/* Cuts the errors into lines. */
bool gcc_may_serve(char *errors) {
    bool missing = false;
    for (const char *line = strtok(errors, "\n"); line; line = strtok(NULL, "\n")) {
        if (is_missing_symbol(line)) missing = true;
        else if (strstr(line, "error: ") && !strstr(line, "linker command failed")) return true;
    }
    return !missing;
}
