/* Floating point: formats, rounding, exceptions, denormals, complex numbers and libm. */
#include "facts.h"

#include <complex.h>
#include <fenv.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* What the compiler cannot know. */
static volatile float f_zero = 0, f_one = 1, f_three = 3, f_big = FLT_MAX, f_small = FLT_MIN, f_nan = NAN;
static volatile double d_zero = 0, d_one = 1, d_three = 3, d_big = DBL_MAX, d_small = DBL_MIN, d_nan = NAN;
static volatile long double l_zero = 0, l_one = 1, l_three = 3, l_big = LDBL_MAX, l_small = LDBL_MIN, l_nan = NAN;
static volatile double d_minus_one = -1;
static double complex one_plus_two_i(void) { return d_one + (d_one + d_one) * I; }

static void flags(const char *of, const char *operation) {
    char name[80], value[80] = "";
    snprintf(name, sizeof name, "exceptions of %s: %s", of, operation);
    if (fetestexcept(FE_DIVBYZERO)) strcat(value, "divbyzero ");
    if (fetestexcept(FE_INVALID)) strcat(value, "invalid ");
    if (fetestexcept(FE_OVERFLOW)) strcat(value, "overflow ");
    if (fetestexcept(FE_UNDERFLOW)) strcat(value, "underflow ");
    if (fetestexcept(FE_INEXACT)) strcat(value, "inexact ");
    text(name, value);
    feclearexcept(FE_ALL_EXCEPT);
}

#define ONE(type, of, operation, ...)                                                                                  \
    do {                                                                                                               \
        feclearexcept(FE_ALL_EXCEPT);                                                                                  \
        volatile type result = (__VA_ARGS__);                                                                          \
        (void)result;                                                                                                  \
        flags(of, operation);                                                                                          \
    } while (0)

#define EXCEPTIONS(type, p, s)                                                                                         \
    ONE(type, #type, "1/0", p##_one / p##_zero);                                                                       \
    ONE(type, #type, "0/0", p##_zero / p##_zero);                                                                      \
    ONE(type, #type, "max*3", p##_big * p##_three);                                                                    \
    ONE(type, #type, "min*min", p##_small * p##_small);                                                                \
    ONE(type, #type, "1/3", p##_one / p##_three);                                                                      \
    ONE(type, #type, "1+1", p##_one + p##_one);                                                                        \
    ONE(type, #type, "inf-inf", (p##_one / p##_zero) - (p##_one / p##_zero));                                          \
    ONE(type, #type, "sqrt(-1)", sqrt##s(-p##_one));                                                                   \
    ONE(type, #type, "log(0)", log##s(p##_zero));                                                                      \
    ONE(type, #type, "exp(max)", exp##s(p##_big));                                                                     \
    ONE(int, #type, "nan < 1", p##_nan < p##_one);                                                         \
    ONE(int, #type, "nan == 1", p##_nan == p##_one);                                                       \
    ONE(int, #type, "isless(nan, 1)", isless(p##_nan, p##_one));                                           \
    ONE(type, #type, "fmod(1, 0)", fmod##s(p##_one, p##_zero));                                                        \
    ONE(type, #type, "rint(1/3)", rint##s(p##_one / p##_three));                                                       \
    ONE(type, #type, "nearbyint(1.5)", nearbyint##s(p##_three / (p##_one + p##_one)));                                 \
    ONE(type, #type, "floor(1.5)", floor##s(p##_three / (p##_one + p##_one)));                                         \
    ONE(type, #type, "trunc(1.5)", trunc##s(p##_three / (p##_one + p##_one)));                                         \
    ONE(long, #type, "to long", (long)p##_three)

static void conversions(void) {
    ONE(float, "conversion", "double to float", (float)(d_one / d_three));
    ONE(float, "conversion", "double too big for float", (float)d_big);
    ONE(double, "conversion", "long double to double", (double)(l_one / l_three));
    ONE(float, "conversion", "long double to float", (float)(l_one / l_three));
    ONE(long double, "conversion", "double to long double", (long double)d_three);
    volatile long long many = 0x7fffffffffffffffLL;
    volatile unsigned long long most = 0xffffffffffffffffULL;
    ONE(float, "conversion", "long long to float", (float)many);
    ONE(double, "conversion", "long long to double", (double)many);
    ONE(double, "conversion", "unsigned long long to double", (double)most);
    real("unsigned long long to double", (double)most);
    real("unsigned long long to float", (double)(float)most);
    volatile double large = 1e19;
    number("double to unsigned long long", (long long)((unsigned long long)large - 9000000000000000000ULL));
    long_real("unsigned long long to long double", (long double)most);
#ifdef __SIZEOF_INT128__
    volatile __int128 huge = (__int128)many * many;
    real("int128 to double", (double)huge);
    number("int128 / 1000000007", (long long)(huge / 1000000007 % 1000000007));
#endif
}

static void rounding(void) {
    static const struct {
        int mode;
        const char *name;
    } modes[] = {{FE_TONEAREST, "to nearest"}, {FE_UPWARD, "upward"}, {FE_DOWNWARD, "downward"}, {FE_TOWARDZERO, "to zero"}};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        char name[80], digits[64];
        fesetround(modes[i].mode);
        volatile float f = f_one / f_three; /* computed before the next call */
        volatile double d = d_minus_one / d_three;
        volatile long double l = l_one / l_three;
        volatile long rounded = lrint(d_three / (d_one + d_one));
        int above = l > 1.0L / 3;
        snprintf(digits, sizeof digits, "%.3f", 0.0625);
        double read = strtod("0.1", NULL);
        fesetround(FE_TONEAREST);
        snprintf(name, sizeof name, "float 1/3 %s", modes[i].name), real(name, f);
        snprintf(name, sizeof name, "double -1/3 %s", modes[i].name), real(name, d);
        snprintf(name, sizeof name, "long double 1/3 %s is above 1/3", modes[i].name), number(name, above);
        snprintf(name, sizeof name, "lrint(1.5) %s", modes[i].name), number(name, rounded);
        snprintf(name, sizeof name, "printf 0.0625 %s", modes[i].name), text(name, digits);
        snprintf(name, sizeof name, "strtod 0.1 %s", modes[i].name), real(name, read);
    }
}

static void formats(void) {
    number("FLT_EVAL_METHOD", FLT_EVAL_METHOD);
    number("LDBL_MANT_DIG", LDBL_MANT_DIG);
    number("LDBL_MAX_EXP", LDBL_MAX_EXP);
    number("LDBL_DIG", LDBL_DIG);
    number("DECIMAL_DIG", DECIMAL_DIG);
    long double minus = -123456789.0L;
    unsigned char bytes[sizeof minus];
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, &minus, LDBL_MANT_DIG == 64 ? 10 : sizeof minus);
    char digits[2 * sizeof bytes + 1];
    for (size_t i = 0; i < sizeof bytes; i++) snprintf(digits + 2 * i, 3, "%02x", bytes[i]);
    text("bytes of -123456789.0L", digits);
    real("denormal", d_small / 4);
    real("denormal float", (double)(f_small / 4));
    real("denormal * 4", d_small / 4 * 4);
    double payload = -(d_zero / d_zero);
    number("isnan", isnan(payload) != 0);
    /* x + 1 - 1, and a float that is only kept as one */
    real("excess precision", (d_one / d_three + d_big / d_big) - d_one);
    volatile float sum = f_one / f_three;
    number("a float is kept as a float", (float)(f_one / f_three) == sum);
}

/* gcc and clang choose where to fuse; the result of a fused operation is not rounded between. */
__attribute__((noinline)) static double in_one_expression(double a, double b, double c) { return a * b + c; }
__attribute__((noinline)) static double in_two_statements(double a, double b, double c) {
    double product = a * b;
    return product + c;
}
__attribute__((noinline)) static double difference_of_products(double a, double b) { return a * b - b * a; }

static void fusing(void) {
    volatile double a = 1 + DBL_EPSILON, c = -1 - 2 * DBL_EPSILON;
    number("fused in one expression", in_one_expression(a, a, c) != 0);
    number("fused across statements", in_two_statements(a, a, c) != 0);
    number("a*b - b*a is zero", difference_of_products(a, 1 / d_three) == 0);
    real("fma", fma(a, a, c));
    number("FP_FAST_FMA",
#ifdef FP_FAST_FMA
           1
#else
           0
#endif
    );
}

/* Whether a loop that the compiler may vectorise computes what the source does not. */
__attribute__((noinline)) static void quotients(double *to, const double *by, int count) {
    for (int i = 0; i < count; i++) to[i] = by[i] != 0 ? 1 / by[i] : 0;
}
__attribute__((noinline)) static double unused(double a, double b, int use) {
    double quotient = a / b;
    return use ? quotient : 0;
}

static void speculation(void) {
    double to[16], by[16];
    for (int i = 0; i < 16; i++) by[i] = i % 2 ? d_three : d_zero;
    feclearexcept(FE_ALL_EXCEPT);
    quotients(to, by, 16);
    number("a guarded division in a loop divides by zero", fetestexcept(FE_DIVBYZERO) != 0);
    feclearexcept(FE_ALL_EXCEPT);
    volatile double result = unused(d_one, d_zero, 0);
    (void)result;
    number("a quotient that is not used divides by zero", fetestexcept(FE_DIVBYZERO) != 0);
    feclearexcept(FE_ALL_EXCEPT);
    volatile double constant = 1.0 / 3.0;
    (void)constant;
    number("a constant is folded", fetestexcept(FE_INEXACT) == 0);
    feclearexcept(FE_ALL_EXCEPT);
    volatile int is_less = NAN < d_one;
    (void)is_less;
    number("a comparison with the constant NAN is invalid", fetestexcept(FE_INVALID) != 0);
    feclearexcept(FE_ALL_EXCEPT);
}

static void complex_numbers(void) {
    volatile double infinite = d_one / d_zero;
    double complex z = one_plus_two_i() * 2, w = CMPLX(infinite, d_zero / d_zero);
    real("cabs", cabs(z));
    real("creal z/w", creal(z / (d_one + d_three * I)));
    real("(inf + nan i) * z", fabs(creal(w * z)));
    real("(1 + i) / 0", fabs(creal((d_one + d_one * I) / CMPLX(d_zero, d_zero))));
    real("csqrt(-1)", cimag(csqrt(CMPLX(-1.0, d_zero))));
    long double complex l = CMPLXL(3.0L, l_one);
    long_real("long double cabs", cabsl(l * l));
    float complex f = CMPLXF(f_one, f_three);
    real("float cabs", (double)cabsf(f * f / f));
    real("cexp", creal(cexp(z)));
    real("cpow", creal(cpow(z, z)));
}

static void libm(void) {
    long double x = l_one / l_three;
    long_real("sinl", sinl(x)), long_real("expl", expl(x)), long_real("powl", powl(x, x)), long_real("lgammal", lgammal(x));
    long_real("fmodl", fmodl(l_three, x)), long_real("hypotl", hypotl(x, l_three)), long_real("cbrtl", cbrtl(x));
    long_real("nextafterl - x", (nextafterl(l_one, l_three) - l_one) / LDBL_EPSILON);
    int exponent = 0;
    long_real("frexpl", frexpl(l_big, &exponent));
    number("exponent of LDBL_MAX", exponent);
    long_real("ldexpl", ldexpl(x, 10));
    number("lrintl", lrintl(x * 100)), number("llroundl", llroundl(x * 1000)), number("ilogbl", ilogbl(x));
    number("signbit", signbit(-l_zero) != 0), number("fpclassify", fpclassify(l_small / 2) == FP_SUBNORMAL);
    real("sin", sin(d_three)), real("exp", exp(d_three)), real("pow", pow(d_three, d_one / d_three));
    real("remainder", remainder(d_big, d_three)), real("tgamma", tgamma(d_one / d_three));
    real("sinf", (double)sinf(f_three)), real("powf", (double)powf(f_three, f_one / f_three));
    char digits[80];
    snprintf(digits, sizeof digits, "%.12Lf %Le %La", x, l_one / 4, l_one);
    text("printf of long double", digits);
    long double read = strtold("0.1", NULL);
    number("strtold", read == 0.1L);
    sscanf("2.5", "%Lf", &read);
    long_real("scanf of long double", read);
}

FACTS(floats) {
    EXCEPTIONS(float, f, f);
    EXCEPTIONS(double, d, );
    EXCEPTIONS(long double, l, l);
    conversions();
    rounding();
    formats();
    fusing();
    speculation();
    complex_numbers();
    libm();
    feclearexcept(FE_ALL_EXCEPT);
}
