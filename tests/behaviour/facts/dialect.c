/* The dialect of C that a compiler takes without a flag, GNU's extensions, and layouts that a program asks for. */
#include "facts.h"

#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BYTES(name, object)                                                                                            \
    do {                                                                                                               \
        char digits[2 * sizeof(object) + 1];                                                                           \
        for (size_t i = 0; i < sizeof(object); i++)                                                                    \
            snprintf(digits + 2 * i, 3, "%02x", ((unsigned char *)&(object))[i]);                                      \
        text(name, digits);                                                                                            \
    } while (0)

/* ---- layouts ------------------------------------------------------------------------------------------------- */

#pragma pack(push, 2)
struct by_pragma {
    char a;
    long long b;
    double c;
    int bits : 5;
    long long more_bits : 33;
};
#pragma pack(pop)
struct __attribute__((packed)) packed_bits {
    unsigned a : 3;
    unsigned long long b : 50;
    char c;
    unsigned d : 30;
};
struct __attribute__((packed, aligned(4))) packed_aligned {
    char a;
    long long b;
};
struct bits_of_each_kind {
    _Bool flag : 1;
    char : 0;
    short a : 9;
    long long b : 33;
    unsigned char c : 7;
    _Bool other : 1;
    long : 0;
    unsigned d : 31;
    unsigned e : 2;
    enum { FIRST, SECOND } f : 2;
};
struct __attribute__((ms_struct)) of_microsoft {
    char a : 3;
    int b : 4;
    short c : 2;
};
struct __attribute__((gcc_struct)) of_gcc {
    char a : 3;
    int b : 4;
    short c : 2;
};
struct zero_width_last {
    char a;
    int : 0;
};
struct unnamed_wide {
    char a;
    int : 20;
    char b;
};
struct over_aligned_member {
    char a;
    _Alignas(16) int b;
    char c __attribute__((aligned(8)));
};
struct aligned_bits {
    int a : 4;
    int b : 4 __attribute__((aligned(16)));
};
typedef int less_aligned __attribute__((aligned(2)));
typedef long long more_aligned __attribute__((aligned(32)));
struct of_typedefs {
    char a;
    less_aligned b;
    more_aligned c;
};
struct zero_length {
    int count;
    struct nothing {
    } none;
    long long items[0];
};
struct anonymous {
    char a;
    union {
        double b;
        struct {
            short c;
            int d;
        };
    };
};
union __attribute__((transparent_union)) any_pointer {
    int *i;
    const char *c;
};
enum unsigned_wide { LARGE = 0x80000000U };
enum past_long { PAST = 0x1ffffffffLL, BELOW = -1 };
enum __attribute__((packed)) packed_wide { LITTLE, MUCH = 300 };
typedef int mode_of_word __attribute__((mode(word)));
typedef int mode_of_pointer __attribute__((mode(pointer)));
typedef unsigned int two_lanes __attribute__((vector_size(8)));
typedef int four_lanes __attribute__((vector_size(16)));
typedef double eight_lanes __attribute__((vector_size(64)));

static void layouts(void) {
    number("pragma pack", sizeof(struct by_pragma) * 100 + offsetof(struct by_pragma, c));
    struct by_pragma by_pragma;
    memset(&by_pragma, 0, sizeof by_pragma);
    by_pragma.bits = -3, by_pragma.more_bits = 0x123456789;
    BYTES("bytes of bit fields under pragma pack", by_pragma);
    struct packed_bits packed;
    memset(&packed, 0, sizeof packed);
    packed.a = 5, packed.b = 0x2345678901234, packed.c = 0x7e, packed.d = 0x2aaaaaaa;
    BYTES("bytes of packed bit fields", packed);
    number("packed and aligned", sizeof(struct packed_aligned) * 100 + _Alignof(struct packed_aligned));
    struct bits_of_each_kind kinds;
    memset(&kinds, 0, sizeof kinds);
    kinds.flag = 1, kinds.a = 0x155, kinds.b = 0x123456789, kinds.c = 0x55, kinds.other = 1, kinds.d = 0x7eeeeeee;
    kinds.e = 2, kinds.f = SECOND;
    BYTES("bytes of bit fields of each kind", kinds);
    number("alignment of bit fields of each kind", _Alignof(struct bits_of_each_kind));
    number("ms_struct", sizeof(struct of_microsoft)), number("gcc_struct", sizeof(struct of_gcc));
    number("a last bit field without width", sizeof(struct zero_width_last) * 100 + _Alignof(struct zero_width_last));
    number("a bit field without name", sizeof(struct unnamed_wide) * 100 + offsetof(struct unnamed_wide, b));
    number("_Alignas of a member", sizeof(struct over_aligned_member) * 100 + offsetof(struct over_aligned_member, c));
    number("an aligned bit field", sizeof(struct aligned_bits) * 100 + _Alignof(struct aligned_bits));
    number("typedefs with alignment", sizeof(struct of_typedefs) * 100 + offsetof(struct of_typedefs, b));
    number("arrays of no length", sizeof(struct zero_length) * 100 + offsetof(struct zero_length, items));
    number("anonymous members", sizeof(struct anonymous) * 100 + offsetof(struct anonymous, d));
    number("enum of unsigned", sizeof(enum unsigned_wide) * 10 + ((enum unsigned_wide) - 1 > 0));
    number("enum past long", sizeof(enum past_long) * 10 + ((enum past_long) - 1 > 0));
    number("a packed enum of two bytes", sizeof(enum packed_wide));
    number("type of an enumerator", sizeof(SECOND) * 10 + (_Generic(SECOND, int: 1, unsigned: 2, default: 3)));
    number("mode(word)", sizeof(mode_of_word) * 10 + sizeof(mode_of_pointer));
    number("vectors", sizeof(two_lanes) * 10000 + _Alignof(two_lanes) * 1000 + _Alignof(four_lanes));
    number("size of a vector of 64 bytes", sizeof(eight_lanes));
}

/* ---- the language -------------------------------------------------------------------------------------------- */

static int old_style(a, b, c)
    int a;
    char b;
    float c;
{
    return a + b + (int)c;
}

__attribute__((gnu_inline)) extern inline int inline_of_gnu(void) { return 1; }
int inline_of_gnu(void) { return 2; }
inline int plain_inline(void) { return 3; }
extern int plain_inline(void);

static int cleaned;
static void clean(int *value) { cleaned = cleaned * 10 + *value; }
static void cleanups(void) {
    int first __attribute__((cleanup(clean))) = 1;
    int second __attribute__((cleanup(clean))) = 2;
    for (int i = 3; i < 5; i++) {
        int inner __attribute__((cleanup(clean))) = i;
        if (i == 4) break;
    }
    (void)first, (void)second;
}

static int computed_goto(const char *program) {
    static const void *const labels[] = {&&add, &&doubled, &&stop};
    int value = 1;
    goto *labels[*program - '0'];
add:
    value++;
    goto *labels[*++program - '0'];
doubled:
    value *= 2;
    goto *labels[*++program - '0'];
stop:
    return value;
}

static int local_labels(int value) {
    return ({
        __label__ again;
    again:
        if (value < 100) {
            value *= 3;
            goto again;
        }
        value;
    });
}

static int of_any(union any_pointer any) { return *any.i; }
static int count_of(int count, ...) {
    va_list words;
    va_start(words, count);
    int sum = 0;
    for (int i = 0; i < count; i++) sum += va_arg(words, int);
    va_end(words);
    return sum;
}
#define SUM(first, ...) count_of(first, ##__VA_ARGS__)
#define NAMED(format, args...) snprintf(NULL, 0, format, ##args)

__attribute__((noinline)) static int of_vla(int rows, int columns, int table[rows][columns]) {
    return table[rows - 1][columns - 1] + (int)sizeof(int[rows][columns]);
}

static void language(void) {
    number("old style", old_style(1, 2, 3.5));
    number("gnu_inline", inline_of_gnu());
    number("inline", plain_inline());
    cleanups();
    number("cleanup", cleaned);
    number("computed goto", computed_goto("010112"));
    number("local labels", local_labels(2));
    int five = 5;
    number("transparent union", of_any(&five));
    number("no arguments in a macro", SUM(0) + SUM(2, 3, 4) + NAMED("abc"));
    int table[2][3] = {{1, 2, 3}, {4, 5, 6}};
    number("a parameter of variable length", of_vla(2, 3, table));
    number("trigraphs", strlen("??=") == 3);
    number("// comments", 4 //* */ 2
    );
    number("'ab'", 'ab'), number("sizeof 'a'", sizeof('a'));
    text("\\e", "\e" + 0 ? "\x1b" : "");
    number("\\e is escape", '\e');
    number("binary constants", 0b1011);
    number("designators of ranges", ((int[]){[0 ... 3] = 2, [5] = 7})[3]);
    number("cast to a union", ((union any_pointer)&five).i == &five);
    number("sizeof void", sizeof(void)), number("pointers to void", (char *)((void *)&five + 1) - (char *)&five);
    number("case of more than int", ({
               int found = 0;
               switch (0x100000001ULL) {
               case 1: found = 1; break;
               case 0x100000001ULL: found = 2;
               }
               found;
           }));
    number("type of 2147483648", _Generic(2147483648, int: 1, long: 2, long long: 3, default: 4));
    number("type of 0x80000000", _Generic(0x80000000, int: 1, unsigned: 2, long: 3, default: 4));
    number("type of a bit field", sizeof(+(struct bits_of_each_kind){0}.d));
    number("type of a shift", sizeof((char)1 << 1LL));
    number("type of char + char", sizeof((char)1 + (char)1));
    number("-1 < 1u", -1 < 1u), number("(short)40000", (short)40000), number("(char)200 < 0", (char)200 < 0);
    number("sizeof of a bool's sum", sizeof((_Bool)1 + (_Bool)1));
    number("asm goto", ({
               __label__ out;
               int went = 1;
               __asm__ goto("" : : : : out);
               went = 2;
           out:
               went;
           }));
}

/* ---- built-in functions -------------------------------------------------------------------------------------- */

static volatile int one = 1, large = INT_MAX, zero = 0;
static volatile unsigned long long many = 0x123456789abcdefULL;

static void built_in(void) {
    int sum;
    number("__builtin_add_overflow", __builtin_add_overflow(large, one, &sum) * 10 + (sum < 0));
    short small;
    number("__builtin_mul_overflow to short", __builtin_mul_overflow(many, 2, &small));
    number("the product in a short", small);
    long long wide;
    number("__builtin_sub_overflow of signs", __builtin_sub_overflow(0u, one, &wide) * 10 + (wide == -1));
    number("__builtin_popcountll", __builtin_popcountll(many)), number("__builtin_parity", __builtin_parity((int)many));
    number("__builtin_clz", __builtin_clz(one)), number("__builtin_ctzll", __builtin_ctzll(many << 5));
    number("__builtin_ffs", __builtin_ffs(zero) * 100 + __builtin_ffs(8 * one)), number("__builtin_clrsb", __builtin_clrsb(-one));
    number("__builtin_bswap64", __builtin_bswap64(many) == 0xefcdab8967452301ULL);
    number("__builtin_bswap16", __builtin_bswap16((unsigned short)(0x1234 * one)));
    number("__builtin_choose_expr", __builtin_choose_expr(1, 5, "no"));
    number("__builtin_types_compatible_p", __builtin_types_compatible_p(int[], int[5]));
    number("__builtin_types_compatible_p of an enum", __builtin_types_compatible_p(enum unsigned_wide, unsigned));
    number("__builtin_object_size of a member", (long long)__builtin_object_size(((struct by_pragma *)&zero), 1) > 0);
    number("__builtin_expect", (long long)__builtin_expect(one, 0));
    number("__builtin_offsetof of an element", __builtin_offsetof(struct { int a; int b[4]; }, b[2]));
    number("__builtin_classify_type", __builtin_classify_type(1.5) * 100 + __builtin_classify_type(&one));
    number("__builtin_signbit", __builtin_signbit(-0.0 * one) != 0);
    four_lanes a = {1, 2, 3, 4}, b = {4, 3, 2, 1};
    four_lanes c = a * b + (a > b);
    BYTES("vector operations", c);
    number("an element of a vector", (a << 2)[3]);
#ifdef __SIZEOF_INT128__
    unsigned __int128 square = (unsigned __int128)many * many;
    number("__int128 by a shift", (long long)(square >> 64) ^ (long long)square);
    number("__int128 divided", (long long)(square / 1000003 % 1000000007));
    struct holder {
        char first;
        __int128 value;
    };
    number("__int128 in a struct", offsetof(struct holder, value));
#endif
    number("1 << 33 by a variable", (long long)(1ULL << (32 + one)));
    number("INT_MIN / 2", -large / 2 - one), number("-7 >> 1", (-7 * one) >> 1), number("-7 %% 3", (-7 * one) % 3);
    number("(unsigned char)300.7", (unsigned char)(int)(300.7 * one)), number("(int)-1.9", (int)(-1.9 * one));
}

#define SIZE(type) number("sizeof " #type, sizeof(type))
#define NUMBER(macro) number(#macro, (long long)(macro))

FACTS(dialect) {
    layouts(), language(), built_in();
    SIZE(__INTMAX_TYPE__), SIZE(__INT_LEAST16_TYPE__), SIZE(__INT_LEAST64_TYPE__), SIZE(__UINT_FAST8_TYPE__);
    SIZE(__CHAR32_TYPE__), SIZE(__INTPTR_TYPE__), SIZE(__INT64_C(5)), SIZE(__UINTMAX_C(5)), SIZE(__WINT_TYPE__);
    NUMBER(__INTMAX_MAX__), NUMBER(__CHAR_BIT__), NUMBER(__SCHAR_MAX__), NUMBER(__WCHAR_MAX__), NUMBER(__WINT_MAX__);
    NUMBER(__PTRDIFF_MAX__), NUMBER(__SIZE_MAX__), NUMBER(__FLT_RADIX__), NUMBER(__DECIMAL_DIG__), NUMBER(__LDBL_MAX_10_EXP__);
    NUMBER(__ATOMIC_SEQ_CST), NUMBER(__GCC_ATOMIC_TEST_AND_SET_TRUEVAL), NUMBER(__GCC_ATOMIC_POINTER_LOCK_FREE);
    NUMBER(__GCC_ATOMIC_WCHAR_T_LOCK_FREE), NUMBER(__ORDER_PDP_ENDIAN__), NUMBER(__STDC__), NUMBER(__STDC_UTF_32__);
    real("__FLT_MIN__", (double)__FLT_MIN__), real("__DBL_EPSILON__", __DBL_EPSILON__), real("__DBL_DENORM_MIN__", __DBL_DENORM_MIN__);
    long_real("__LDBL_MIN__", __LDBL_MIN__), long_real("__LDBL_EPSILON__", __LDBL_EPSILON__);
}
