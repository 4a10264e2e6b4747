#ifndef GCC_H
#define GCC_H

#include <stddef.h>

/* For before the caller's own flags: what gcc (before 14) warns about in C is a warning, where clang has an error.
 * Ends with NULL; empty where the caller wants such warnings to be errors, as gcc would make them. */
const char *const *gcc_warnings(int count, char *const *words);

/* gcc leaves the frame pointer out wherever it optimises, so that hand-written code has the register. */
int gcc_omits_frame_pointer(int count, char *const *words);

/* For before the caller's own flags: where gcc fuses a multiplication with an addition; NULL where nothing is optimised. */
const char *gcc_contraction(int count, char *const *words, int cxx);

/* For after the caller's own flags: infinities and NaN stay values, whose use clang takes for undefined with -ffast-math.
 * Ends with NULL; empty where clang does not assume that there are none. */
const char *const *gcc_finite(int count, char *const *words);

/* Why a flag can be dropped that only says how gcc is to optimise, or how it is to talk; NULL where it is another. */
const char *gcc_optimiser(const char *word);

/* What clang does instead of what a flag asks for, where it takes the flag and passes over it; NULL for other words. */
const char *gcc_alone(const char *word);

/* A pattern that ends with * is the beginning of a word. */
int gcc_matches(const char *pattern, size_t length, const char *word);

#endif
