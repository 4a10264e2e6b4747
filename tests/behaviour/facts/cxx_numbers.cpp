/* Numbers that the C++ library computes, and how it writes and reads them. */
#include "facts.h"

#include <charconv>
#include <cmath>
#include <complex>
#include <limits>
#include <numeric>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

static void sums() {
    std::vector<float> many;
    std::vector<double> wide;
    for (int i = 1; i < 1000; i++) many.push_back(1.0f / i), wide.push_back(1.0 / i);
    real("sum: accumulate", std::accumulate(many.begin(), many.end(), 0.0f));
    real("sum: reduce of floats", std::reduce(many.begin(), many.end()));
    real("sum: reduce", std::reduce(wide.begin(), wide.end()));
    real("sum: inner_product", std::inner_product(wide.begin(), wide.end(), wide.rbegin(), 0.0));
    real("sum: transform_reduce", std::transform_reduce(wide.begin(), wide.end(), wide.rbegin(), 0.0));
    std::vector<double> scanned(wide.size());
    std::inclusive_scan(wide.begin(), wide.end(), scanned.begin()), real("sum: inclusive_scan", scanned.back());
}

static void complex_numbers() {
    using Complex = std::complex<double>;
    const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
    static const struct {
        const char *name;
        Complex (*function)(const Complex &);
    } functions[] = {
        {"sqrt", [](const Complex &z) { return std::sqrt(z); }},
        {"exp", [](const Complex &z) { return std::exp(z); }},
        {"log", [](const Complex &z) { return std::log(z); }},
        {"log10", [](const Complex &z) { return std::log10(z); }},
        {"sin", [](const Complex &z) { return std::sin(z); }},
        {"cos", [](const Complex &z) { return std::cos(z); }},
        {"tan", [](const Complex &z) { return std::tan(z); }},
        {"asin", [](const Complex &z) { return std::asin(z); }},
        {"acos", [](const Complex &z) { return std::acos(z); }},
        {"atan", [](const Complex &z) { return std::atan(z); }},
        {"sinh", [](const Complex &z) { return std::sinh(z); }},
        {"cosh", [](const Complex &z) { return std::cosh(z); }},
        {"tanh", [](const Complex &z) { return std::tanh(z); }},
        {"asinh", [](const Complex &z) { return std::asinh(z); }},
        {"acosh", [](const Complex &z) { return std::acosh(z); }},
        {"atanh", [](const Complex &z) { return std::atanh(z); }},
        {"proj", [](const Complex &z) { return std::proj(z); }},
        {"square", [](const Complex &z) { return std::pow(z, 2); }},
        {"power", [](const Complex &z) { return std::pow(z, Complex(0.5, -1.25)); }},
        {"quotient", [](const Complex &z) { return Complex(1, 2) / z; }},
        {"product", [](const Complex &z) { return Complex(1, 2) * z; }},
    };
    static const struct {
        const char *name;
        Complex value;
    } values[] = {
        {"1+2i", {1, 2}},    {"-0.3+1e-3i", {-0.3, 1e-3}},     {"-2-0i", {-2, -0.0}},
        {"0", {0, 0}},       {"1e300+1e300i", {1e300, 1e300}}, {"3e-320i", {0, 3e-320}},
        {"inf", {inf, 0}},   {"nan+infi", {nan, inf}},         {"30+40i", {30, 40}},
        {"nan", {nan, nan}},
    };
    for (const auto &each : functions)
        for (const auto &of : values) {
            std::string name = std::string("complex ") + each.name + " of " + of.name;
            Complex result = each.function(of.value);
            real((name + ", real").c_str(), result.real()), real((name + ", imaginary").c_str(), result.imag());
        }
    volatile double minus = -2;
    real("std::polar of a negative radius", std::polar(double(minus), 0.5).real());
    real("std::abs of a huge complex", std::abs(Complex(1e300, 1e300)));
    real("std::norm", std::norm(Complex(0.1, 0.7)));
    real("std::arg", std::arg(Complex(-0.0, -0.0)));
}

template <class Number, class = void> struct FromChars {
    static std::string of(const std::string &) { return "not there"; }
};
template <class Number>
struct FromChars<Number, std::void_t<decltype(std::from_chars("", "", std::declval<Number &>()))>> {
    static std::string of(const std::string &given) {
        Number number = 77;
        auto [rest, error] = std::from_chars(given.data(), given.data() + given.size(), number);
        char digits[64];
        snprintf(digits, sizeof digits, "%a, error %d, left: ", static_cast<double>(number), static_cast<int>(error));
        return digits + std::string(rest);
    }
};
template <class Number, class = void> struct ToChars {
    static void tell(const std::string &name, Number) { text(("to_chars " + name).c_str(), "not there"); }
};
template <class Number>
struct ToChars<Number, std::void_t<decltype(std::to_chars(nullptr, nullptr, std::declval<Number>()))>> {
    static void tell(const std::string &name, Number number) {
        char place[512];
        auto written = [&](auto... words) {
            return std::string(place, std::to_chars(place, place + sizeof place, number, words...).ptr) + " ";
        };
        std::string all = written() + written(std::chars_format::fixed) + written(std::chars_format::scientific) +
                          written(std::chars_format::general) + written(std::chars_format::hex) +
                          written(std::chars_format::fixed, 3) + written(std::chars_format::scientific, 20) +
                          written(std::chars_format::general, 3) + written(std::chars_format::hex, 2);
        text(("to_chars " + name).c_str(), all.c_str());
    }
};

static void characters() {
    static const char *const given[] = {"1.5", "-0", "1e400", "-1e-400", "0x1p3", "inf", "-nan(7)",
                                        "+1",  " 1", ".5e",   "1.e2x",   "1e",    "",    "3e-320"};
    for (std::string each : given) {
        text(("from_chars of double: " + each).c_str(), FromChars<double>::of(each).c_str());
        text(("from_chars of float: " + each).c_str(), FromChars<float>::of(each).c_str());
        text(("from_chars of long double: " + each).c_str(), FromChars<long double>::of(each).c_str());
    }
    static const double numbers[] = {0.1, -0.0, 1e23, 5e-324, 123456789, 1e21, 0.0001, 1.7976931348623157e308 / 1e200};
    for (const double &each : numbers) {
        std::string name = std::to_string(&each - numbers);
        ToChars<double>::tell("of double " + name, each), ToChars<float>::tell("of float " + name, each);
#if !defined(__powerpc64__)
        ToChars<long double>::tell("of long double " + name, each);
#endif
    }
    std::ostringstream out;
    out << std::hexfloat << 0.1 << ' ' << 1.5f << ' ' << std::defaultfloat << std::showpoint << 2.0 << std::noshowpoint
        << std::uppercase << ' ' << 1e-20 << ' ' << std::numeric_limits<double>::infinity() << ' '
        << -std::numeric_limits<double>::quiet_NaN() << std::nouppercase << std::showbase << std::hex << ' ' << 255
        << ' ' << 0 << std::oct << ' ' << 8 << std::dec << std::showpos << ' ' << 5 << ' '
        << std::complex<double>(1, -2);
    text("a stream of numbers", out.str().c_str());
    for (const char *each : {"(1,2)", "(3)", "4", "(5,", "6i", "( 7 , 8 )"}) {
        std::istringstream in(each);
        std::complex<double> number(77, 77);
        in >> number;
        std::ostringstream told;
        told << number << (in.fail() ? " fails" : "");
        text((std::string("complex from ") + each).c_str(), told.str().c_str());
    }
    for (const char *each : {"99999999999", "-99999999999", "-1", "0x1f", "010", "1_000", "-", "+5"}) {
        std::istringstream in(each), other(each), based(each);
        int number = 77, any = 77;
        unsigned natural = 77;
        in >> number, other >> natural, based.unsetf(std::ios::basefield), based >> any;
        std::ostringstream told;
        told << number << in.fail() << ' ' << natural << other.fail() << ' ' << any << based.fail();
        text((std::string("integers from ") + each).c_str(), told.str().c_str());
    }
}

FACTS(cxx_numbers) { sums(), complex_numbers(), characters(); }
