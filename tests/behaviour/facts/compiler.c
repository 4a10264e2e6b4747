/* Macros of C, and what flags make of undefined behaviour. */
#include "facts.h"

#include <limits.h>
#include <string.h>

#include "compiler.h"

__attribute__((noinline)) static int wraps(int value) { return value + 1 < value; }
__attribute__((noinline)) static int shifts(int value) { return value >> 1; }

static inline int inlined(void) { return 1; }
extern inline __attribute__((gnu_inline)) int gnu_inlined(void) { return 2; }

static int nested_in_switch(int value) {
    switch (value) {
    case 1 ... 5: return 1;
    default: return 0;
    }
}

FACTS(compiler) {
    macros();
    number("signed integers wrap", wraps(INT_MAX));
    number("-3 >> 1", shifts(-3));
    number("-7 / 2", -7 / 2), number("-7 % 2", -7 % 2);
    number("inline", inlined() + gnu_inlined());
    number("ranges in switch", nested_in_switch(3));
    number("statement expression", ({
               int value = 4;
               value * 2;
           }));
    number("value ?: other", 0 ?: 5);
    number("typeof", sizeof(__typeof__(1ULL)));
    number("__builtin_constant_p", __builtin_constant_p(5));
    number("__builtin_object_size", (long long)__builtin_object_size("1234567", 0));
    number("'\\xff'", '\xff');
    number("sizeof L'a'", sizeof(L'a')), number("sizeof u8\"a\"", sizeof(u8"a"));
    number("__COUNTER__", __COUNTER__ + __COUNTER__);
    text("__FILE__", strrchr(__FILE__, '/') ? strrchr(__FILE__, '/') + 1 : __FILE__);
    text("__func__", __func__);
    text("__PRETTY_FUNCTION__", __PRETTY_FUNCTION__);
}
