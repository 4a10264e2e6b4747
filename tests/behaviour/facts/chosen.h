/* What flags of the language change; a file that includes it is compiled with some. */
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <string.h>
#include <wchar.h>

enum chosen_small { CHOSEN_SMALL };
struct chosen_bits {
    int value : 3;
    char character : 3;
};
int tentative;
static volatile double chosen_one = 1, chosen_three = 3, chosen_zero = 0;
static volatile float chosen_float = 1;

__attribute__((noinline)) static double chosen_fused(double a, double b, double c) { return a * b + c; }
__attribute__((noinline)) static double chosen_sum(double a, double b) { return (a + b) - a; }
__attribute__((noinline)) static int chosen_wraps(int value) { return value + 1 < value; }
__attribute__((noinline)) static float chosen_alias(int *integer, float *real) {
    *integer = 1, *real = 2;
    return (float)*integer;
}

static void chosen(void) {
    number("char is signed", (char)-1 < 0), number("a plain bit field is signed", (struct chosen_bits){7, 0}.value < 0);
    number("a bit field of char is signed", (struct chosen_bits){0, 7}.character < 0);
    number("sizeof an enum", sizeof(enum chosen_small)), number("sizeof L'a'", sizeof(L'a'));
    number("trigraphs", sizeof("??=") == 2);
    number("fused", chosen_fused(1 + DBL_EPSILON, 1 + DBL_EPSILON, -1 - 2 * DBL_EPSILON) != 0);
    real("a sum is not simplified", chosen_sum(1e16, chosen_one));
    real("0.1 times a float", (double)(chosen_float * 0.1)), number("sizeof a constant", sizeof(0.1));
    real("0.1 as a double", chosen_one * 0.1);
    number("a signed sum wraps", chosen_wraps(0x7fffffff));
    union {
        int integer;
        float real;
    } both;
    number("what aliases", chosen_alias(&both.integer, &both.real) == 1);
    number("-0.0 is negative", signbit(-(chosen_zero * chosen_one)) != 0);
    number("__STRICT_ANSI__",
#ifdef __STRICT_ANSI__
           1
#else
           0
#endif
    );
    number("linux",
#ifdef linux
           1
#else
           0
#endif
    );
    number("__GNUC_GNU_INLINE__",
#ifdef __GNUC_GNU_INLINE__
           1
#else
           0
#endif
    );
    number("M_PI",
#ifdef M_PI
           1
#else
           0
#endif
    );
    number("__OPTIMIZE_SIZE__",
#ifdef __OPTIMIZE_SIZE__
           1
#else
           0
#endif
    );
    number("__NO_MATH_ERRNO__",
#ifdef __NO_MATH_ERRNO__
           1
#else
           0
#endif
    );
    number("__ROUNDING_MATH__",
#ifdef __ROUNDING_MATH__
           1
#else
           0
#endif
    );
    number("__SUPPORT_SNAN__",
#ifdef __SUPPORT_SNAN__
           1
#else
           0
#endif
    );
    number("__NO_SIGNED_ZEROS__",
#ifdef __NO_SIGNED_ZEROS__
           1
#else
           0
#endif
    );
    number("__NO_TRAPPING_MATH__",
#ifdef __NO_TRAPPING_MATH__
           1
#else
           0
#endif
    );
    number("__ASSOCIATIVE_MATH__",
#ifdef __ASSOCIATIVE_MATH__
           1
#else
           0
#endif
    );
    number("__RECIPROCAL_MATH__",
#ifdef __RECIPROCAL_MATH__
           1
#else
           0
#endif
    );
    number("__STDC_VERSION__",
#ifdef __STDC_VERSION__
           __STDC_VERSION__
#else
           0
#endif
    );
}
