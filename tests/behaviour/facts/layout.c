/* Sizes, alignments and layouts: what two modules must agree on to share data. */
#include "facts.h"

#include <complex.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <wchar.h>

#define TYPE(...)                                                                                                      \
    do {                                                                                                               \
        struct holder {                                                                                                \
            char first;                                                                                                \
            __VA_ARGS__ value;                                                                                         \
        };                                                                                                             \
        number("sizeof " #__VA_ARGS__, (long long)sizeof(__VA_ARGS__));                                                \
        number("alignof " #__VA_ARGS__, (long long)_Alignof(__VA_ARGS__));                                             \
        number("offset of a member of type " #__VA_ARGS__, (long long)offsetof(struct holder, value));                 \
    } while (0)
#define SIGNED(...) number("signed " #__VA_ARGS__, (__VA_ARGS__) - 1 < 0)

enum small { SMALL };
enum negative { NEGATIVE = -1 };
enum wide { WIDE = 0x7fffffffffffffffLL };
enum __attribute__((packed)) packed_enum { PACKED_ENUM };

struct bits {
    int a : 3;
    unsigned b : 7;
    char c : 2;
    long long d : 40;
    int : 0;
    short e : 9;
};
struct plain_bits {
    int value : 2;
};
struct char_bits {
    char value : 2;
};
struct mixed {
    char a;
    double b;
    char c;
    long double d;
    char e;
    long long f;
};
struct __attribute__((packed)) packed {
    char a;
    double b;
    short c;
    long double d;
};
struct __attribute__((aligned(32))) aligned {
    char a;
};
struct flexible {
    char a;
    double b[];
};
struct nothing {};
union either {
    char a[9];
    long long b;
};
typedef float quadruple __attribute__((vector_size(16)));

static void bit_fields(void) {
    unsigned char bytes[sizeof(struct bits)] = {0};
    struct bits *bits = (struct bits *)bytes;
    bits->a = -3, bits->b = 0x55, bits->c = 1, bits->d = 0x1234567890, bits->e = 0x1a5;
    char digits[2 * sizeof bytes + 1];
    for (size_t i = 0; i < sizeof bytes; i++) snprintf(digits + 2 * i, 3, "%02x", bytes[i]);
    text("bytes of bit fields", digits);
    number("bit fields", sizeof(struct bits));
    struct plain_bits plain = {3};
    struct char_bits chars = {3};
    number("a plain int bit field is signed", plain.value < 0);
    number("a char bit field is signed", chars.value < 0);
}

static void structs(void) {
    number("mixed", sizeof(struct mixed));
    number("mixed.b", offsetof(struct mixed, b));
    number("mixed.d", offsetof(struct mixed, d));
    number("mixed.f", offsetof(struct mixed, f));
    number("packed", sizeof(struct packed));
    number("packed.d", offsetof(struct packed, d));
    number("aligned", sizeof(struct aligned));
    number("flexible.b", offsetof(struct flexible, b));
    number("nothing", sizeof(struct nothing));
    number("either", sizeof(union either));
    number("enum small", sizeof(enum small));
    number("enum small is unsigned", (enum small) - 1 > 0);
    number("enum negative", sizeof(enum negative));
    number("enum wide", sizeof(enum wide));
    number("enum packed", sizeof(enum packed_enum));
}

FACTS(layout) {
    TYPE(char); TYPE(short); TYPE(int); TYPE(long); TYPE(long long); TYPE(void *); TYPE(float); TYPE(double);
    TYPE(long double); TYPE(_Bool); TYPE(wchar_t); TYPE(wint_t); TYPE(max_align_t); TYPE(size_t); TYPE(ptrdiff_t);
    TYPE(time_t); TYPE(off_t); TYPE(ino_t); TYPE(dev_t); TYPE(clock_t); TYPE(intmax_t); TYPE(int_fast16_t);
    TYPE(int_fast8_t); TYPE(jmp_buf); TYPE(sigset_t); TYPE(struct stat); TYPE(struct timespec); TYPE(fpos_t);
    TYPE(mbstate_t); TYPE(va_list); TYPE(float complex); TYPE(double complex); TYPE(long double complex);
    TYPE(quadruple); TYPE(struct tm); TYPE(siginfo_t);
#ifdef __SIZEOF_INT128__
    TYPE(__int128);
#endif
    SIGNED(char), SIGNED(wchar_t), SIGNED(wint_t), SIGNED(time_t), SIGNED(off_t);
    bit_fields();
    structs();
    union {
        unsigned whole;
        unsigned char first;
    } order = {1};
    number("little endian", order.first);
    number("little endian, as the compiler says", __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);
    number("__BIGGEST_ALIGNMENT__", __BIGGEST_ALIGNMENT__);
}
