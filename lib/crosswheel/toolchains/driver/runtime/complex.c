/* Products and quotients of long double complex on x86_64, as C's Annex G has them.
 *
 * Clang calls these functions and takes the result from two registers of the x87. Those of Zig's runtime leave it in
 * memory, and the caller's memory is anything. */
typedef long double number;

static int is_nan(number a) { return __builtin_isnan(a); }
static int is_infinite(number a) { return __builtin_isinf_sign(a) != 0; }
static int is_finite(number a) { return __builtin_isfinite(a); }
static number sign_of(number size, number sign) { return __builtin_copysignl(size, sign); }
static number one_if_infinite(number a) { return sign_of(is_infinite(a), a); }
static number zero_if_nan(number a) { return is_nan(a) ? sign_of(0, a) : a; }

__attribute__((visibility("hidden"))) long double _Complex __mulxc3(number a, number b, number c, number d) {
    number real = a * c - b * d, imaginary = a * d + b * c;
    if (!is_nan(real) || !is_nan(imaginary)) return __builtin_complex(real, imaginary);
    int again = 0;
    if (is_infinite(a) || is_infinite(b)) {
        again = 1;
        a = one_if_infinite(a), b = one_if_infinite(b), c = zero_if_nan(c), d = zero_if_nan(d);
    }
    if (is_infinite(c) || is_infinite(d)) {
        again = 1;
        c = one_if_infinite(c), d = one_if_infinite(d), a = zero_if_nan(a), b = zero_if_nan(b);
    }
    if (!again && (is_infinite(a * c) || is_infinite(b * d) || is_infinite(a * d) || is_infinite(b * c))) {
        again = 1;
        a = zero_if_nan(a), b = zero_if_nan(b), c = zero_if_nan(c), d = zero_if_nan(d);
    }
    if (!again) return __builtin_complex(real, imaginary);
    number infinity = __builtin_infl();
    return __builtin_complex(infinity * (a * c - b * d), infinity * (a * d + b * c));
}

/* The power of two that brings a number near to 1; 1 for what has no size. */
static number scale_for(number size) {
    if (size == 0 || !is_finite(size)) return 1;
    union {
        number value;
        struct {
            unsigned long long mantissa;
            unsigned short exponent;
        } bits;
    } scale = {size};
    int exponent = scale.bits.exponent & 0x7fff;
    scale.bits.mantissa = 1ULL << 63;
    scale.bits.exponent = (unsigned short)(exponent ? 2 * 0x3fff - exponent : 0x7ffe);
    if (scale.bits.exponent == 0) scale.bits.exponent = 1;
    return scale.value;
}

__attribute__((visibility("hidden"))) long double _Complex __divxc3(number a, number b, number c, number d) {
    number of_c = __builtin_fabsl(c), of_d = __builtin_fabsl(d);
    number scale = scale_for(of_c > of_d ? of_c : of_d), x = c * scale, y = d * scale, size = x * x + y * y;
    number real = (a * x + b * y) / size * scale, imaginary = (b * x - a * y) / size * scale;
    if (!is_nan(real) || !is_nan(imaginary)) return __builtin_complex(real, imaginary);
    number infinity = __builtin_infl();
    if (size == 0 && (!is_nan(a) || !is_nan(b)))
        return __builtin_complex(sign_of(infinity, c) * a, sign_of(infinity, c) * b);
    if ((is_infinite(a) || is_infinite(b)) && is_finite(c) && is_finite(d)) {
        a = one_if_infinite(a), b = one_if_infinite(b);
        return __builtin_complex(infinity * (a * c + b * d), infinity * (b * c - a * d));
    }
    if ((is_infinite(c) || is_infinite(d)) && is_finite(a) && is_finite(b)) {
        c = one_if_infinite(c), d = one_if_infinite(d);
        return __builtin_complex(0 * (a * c + b * d), 0 * (b * c - a * d));
    }
    return __builtin_complex(real, imaginary);
}
