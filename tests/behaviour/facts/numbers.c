/* Floating point where the value is in doubt: errno, signed zeros, what a NaN carries, and types of other widths. */
#define _GNU_SOURCE
#include "facts.h"

#include <complex.h>
#include <errno.h>
#include <fenv.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static volatile double d_zero = 0, d_one = 1, d_two = 2, d_big = DBL_MAX, d_small = DBL_MIN;
static volatile float f_zero = 0, f_one = 1, f_big = FLT_MAX;
static volatile long double l_zero = 0, l_one = 1, l_two = 2;

static const char *name_of_errno(void) {
    return errno == 0 ? "none" : errno == EDOM ? "EDOM" : errno == ERANGE ? "ERANGE" : "other";
}
#define ERRNO(...)                                                                                                     \
    do {                                                                                                               \
        errno = 0;                                                                                                     \
        volatile double result = (double)(__VA_ARGS__);                                                                \
        (void)result;                                                                                                  \
        text("errno of " #__VA_ARGS__, name_of_errno());                                                               \
    } while (0)

static void errors(void) {
    ERRNO(sqrt(-d_one)); ERRNO(sqrtf(-f_one)); ERRNO(sqrtl(-l_one)); ERRNO(log(d_zero)); ERRNO(log(-d_one));
    ERRNO(pow(d_zero, -d_one)); ERRNO(pow(-d_one, d_one / d_two)); ERRNO(pow(d_big, d_two)); ERRNO(pow(d_small, d_two));
    ERRNO(exp(d_big)); ERRNO(exp(-d_big)); ERRNO(exp2(d_big)); ERRNO(acos(d_two)); ERRNO(fmod(d_one, d_zero));
    ERRNO(remainder(d_one, d_zero)); ERRNO(hypot(d_big, d_big)); ERRNO(ldexp(d_one, 5000)); ERRNO(sin(d_big * d_two));
    ERRNO(tgamma(-d_one)); ERRNO(lgamma(d_zero)); ERRNO(atanh(d_one)); ERRNO(log1p(-d_one)); ERRNO(expf(f_big));
    ERRNO(logb(d_zero)); ERRNO(nextafter(d_big, d_big * d_two)); ERRNO(fma(d_big, d_big, d_one)); ERRNO(powf(f_big, 2 * f_one));
    ERRNO(fdim(d_big, -d_big)); ERRNO(lrint(d_big)); ERRNO(powl(l_zero, -l_one)); ERRNO(logl(l_zero)); ERRNO(floor(d_big));
    ERRNO(scalbn(d_one, 5000)); ERRNO(ilogb(d_zero)); ERRNO(fmodf(f_one, f_zero));
}

/* With the sign of a zero, and what a NaN carries. */
static void bits(const char *name, double value) {
    char digits[32];
    uint64_t whole;
    memcpy(&whole, &value, sizeof whole);
    snprintf(digits, sizeof digits, "%016llx", (unsigned long long)whole);
    text(name, digits);
}
static void float_bits(const char *name, float value) {
    uint32_t whole;
    memcpy(&whole, &value, sizeof whole);
    number(name, whole);
}

__attribute__((noinline)) static double minus(double a) { return -a; }
__attribute__((noinline)) static double from_zero(double a) { return 0 - a; }
__attribute__((noinline)) static double add_zero(double a) { return a + 0.0; }
__attribute__((noinline)) static double times_zero(double a) { return a * 0.0; }
__attribute__((noinline)) static double times_minus_one(double a) { return a * -1.0; }
__attribute__((noinline)) static double selected(double a, double b) { return a < b ? a : b; }
__attribute__((noinline)) static double selected_larger(double a, double b) { return a > b ? a : b; }
__attribute__((noinline)) static double without_sign(double a) { return a < 0 ? -a : a; }
__attribute__((noinline)) static int not_less(double a, double b) { return !(a < b); }
__attribute__((noinline)) static double summed(const double *of, int count) {
    double sum = 0;
    for (int i = 0; i < count; i++) sum += of[i];
    return sum;
}
__attribute__((noinline)) static float summed_floats(const float *of, int count) {
    float sum = 0;
    for (int i = 0; i < count; i++) sum += of[i] * of[i];
    return sum;
}

static double nan_of(uint64_t payload) {
    double value;
    payload |= 0x7ff0000000000000ULL;
    memcpy(&value, &payload, sizeof value);
    return value;
}

static void zeros_and_nans(void) {
    volatile double zero = 0, minus_zero = -zero, quiet = nan_of(0x8000000000123ULL), signaling = nan_of(0x123);
    bits("-(0)", minus(zero)), bits("0 - 0", from_zero(zero)), bits("-0 + 0", add_zero(minus_zero));
    bits("-1 * 0", times_zero(-d_one)), bits("0 * -1", times_minus_one(zero)), bits("min of 0 and -0", selected(zero, minus_zero));
    bits("min of -0 and 0", selected(minus_zero, zero)), bits("min of nan and 1", selected(quiet, d_one));
    bits("min of 1 and nan", selected(d_one, quiet)), bits("max of 1 and nan", selected_larger(d_one, quiet));
    bits("absolute of -0", without_sign(minus_zero)), number("nan is not less", not_less(quiet, d_one));
    bits("fmin of 0 and -0", fabs(fmin(zero, minus_zero))), bits("fmax of nan and 1", fmax(quiet, d_one));
    bits("a quiet nan is negated", minus(quiet)), bits("nan + 1", quiet + d_one), bits("1 + nan", d_one + quiet);
    bits("nan * -1", times_minus_one(quiet) < 0 ? 1 : fabs(times_minus_one(quiet)));
    bits("a signaling nan + 1", fabs(signaling + d_one));
    float narrow = (float)quiet;
    float_bits("nan to float", narrow), bits("and back", (double)narrow);
    bits("sqrt(-0)", sqrt(minus_zero)), bits("round(-0.4)", round(-d_one / 2.5)), bits("ceil(-0.5)", ceil(-d_one / d_two));
    bits("trunc(-0.5)", trunc(-d_one / d_two)), bits("fmod(-1, 1)", fmod(-d_one, d_one)), bits("copysign", copysign(d_two, minus_zero));
    bits("nan()", nan("0x5")), bits("strtod of nan", fabs(strtod("nan(0x5)", NULL))), bits("strtod of -0", strtod("-0", NULL));
    bits("the least number", nextafter(zero, d_one)), bits("the least number / 2", nextafter(zero, d_one) / d_two);
    bits("a denormal squared", (d_small / 8) * (d_small / 8)), bits("a denormal + a denormal", d_small / 8 + d_small / 8);
    float_bits("a denormal float", (float)(d_one * FLT_MIN / 3)), bits("modf", modf(-d_one / d_two, (double *)&(double){0}));
    double numbers[] = {1e16, 1, -1e16, 1, 3, 1e16, -1e16, 0.1};
    float floats[32];
    for (int i = 0; i < 32; i++) floats[i] = (float)(1 + i * 0.1);
    real("a sum in order", summed(numbers, 8)), float_bits("a sum of float products in order", summed_floats(floats, 32));
    float f = 16777217.0f * f_one;
    float_bits("a constant of float", f), real("a product of floats", (double)(f_one * 0.1f));
    real("0.1 in a float expression", (double)(float)(f_one * 0.1)), number("0.1f == 0.1", 0.1f * f_one == 0.1);
    number("isnan", isnan(quiet) != 0), number("isinf", isinf(-d_big * d_two)), number("isfinite", isfinite(d_big) != 0);
    number("isnormal", isnormal(d_small / 4) != 0), number("fpclassify", fpclassify(zero) == FP_ZERO);
}

/* ---- other widths -------------------------------------------------------------------------------------------- */

static void widths(void) {
#ifdef __FLT16_MAX__
    volatile _Float16 half = 1;
    _Float16 third = half / 3, sum = third + (_Float16)0.0004f;
    number("sizeof _Float16", sizeof(_Float16));
    real("_Float16 third", (double)third), real("_Float16 sum", (double)sum), real("_Float16 too large", (double)(_Float16)(70000 * half));
    real("_Float16 of a double", (double)(_Float16)(d_one / 3)), real("_Float16 least", (double)(_Float16)(d_one * 5.9e-8));
#else
    text("_Float16", "not there");
#endif
#if defined(__ARM_FP16_FORMAT_IEEE)
    volatile __fp16 narrow = 1;
    real("__fp16 third", (double)(narrow / 3)), real("__fp16 kept", (double)(__fp16)(narrow / 3));
#else
    text("__fp16", "not there");
#endif
#ifdef __DEC64_MANT_DIG__
    number("there are decimal numbers", 1);
#else
    number("there are decimal numbers", 0);
#endif
    number("FLT_HAS_SUBNORM", __FLT_HAS_DENORM__);
    volatile long double third_of = l_one / 3, negative = -third_of;
    char digits[128];
    snprintf(digits, sizeof digits, "%.20Lg %La %Lf", negative, l_one / 4, l_two * 1e10L);
    text("printf of long doubles", digits);
    number("strtold and back", strtold("0.333333333333333333333333333333333333", NULL) == third_of);
    long_real("fabsl", fabsl(negative)), long_real("copysignl", copysignl(third_of, -l_one)), long_real("fmaxl", fmaxl(negative, l_zero));
    long_real("floorl", floorl(negative)), long_real("roundl", roundl(negative * 5)), long_real("sqrtl", sqrtl(third_of));
    long_real("fmal", fmal(third_of, third_of, -l_one)), long_real("scalbnl", scalbnl(third_of, -3)), long_real("modfl", modfl(negative * 10, &(long double){0}));
    number("(long long) of long double", (long long)(negative * 1e15L)), number("(unsigned) of long double", (unsigned)(third_of * 1e9L));
    long_real("long double of int64", (long double)(INT64_MIN + 1)), real("double of long double", (double)third_of);
    long double complex product = CMPLXL(l_one, third_of) * CMPLXL(l_two, negative), quotient = product / CMPLXL(third_of, l_two);
    long_real("a product of long double complex", cimagl(product)), long_real("a quotient of long double complex", creall(quotient));
    float complex narrow_quotient = CMPLXF(f_one, 2 * f_one) / CMPLXF(3 * f_one, f_one);
    real("a quotient of float complex", (double)crealf(narrow_quotient));
    real("a product of complex overflows", creal(CMPLX(d_big, d_big) * CMPLX(d_two, d_zero)) > 0 ? 1 : 0);
    bits("conj", cimag(conj(CMPLX(d_one, d_zero)))), bits("i * i", creal(I * I * d_one)), real("a real by a complex", cimag(d_two * CMPLX(d_one, d_one)));
    bits("a real minus a complex", cimag(d_one - CMPLX(d_one, d_zero)));
}

FACTS(numbers) {
    errors(), zeros_and_nans(), widths();
    feclearexcept(FE_ALL_EXCEPT);
}
