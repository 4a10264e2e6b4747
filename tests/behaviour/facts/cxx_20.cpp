/* C++20: what compiler and library say that they have, and some of it. */
#include "facts.h"

#include <atomic>
#include <cstring>
#include <string>
#include <version>

#if __has_include(<format>)
#include <format>
#endif
#if __has_include(<span>)
#include <span>
#endif
#if __has_include(<source_location>)
#include <source_location>
#endif
#include <bit>
#include <chrono>
#include <cmath>
#include <compare>
#include <concepts>
#include <memory>
#include <numbers>
#include <numeric>
#include <ranges>
#include <semaphore>
#include <thread>
#include <vector>

#define STRING(...) #__VA_ARGS__
#define EXPANDED(...) STRING(__VA_ARGS__)
#define MACRO(name) text(#name, std::strcmp(EXPANDED(name), #name) ? EXPANDED(name) : "not defined")

static void macros() {
    MACRO(__cplusplus), MACRO(__cpp_aggregate_paren_init), MACRO(__cpp_char8_t), MACRO(__cpp_concepts);
    MACRO(__cpp_conditional_explicit), MACRO(__cpp_consteval), MACRO(__cpp_constexpr), MACRO(__cpp_constinit);
    MACRO(__cpp_deduction_guides), MACRO(__cpp_designated_initializers), MACRO(__cpp_generic_lambdas);
    MACRO(__cpp_impl_coroutine), MACRO(__cpp_impl_three_way_comparison), MACRO(__cpp_init_captures);
    MACRO(__cpp_modules), MACRO(__cpp_nontype_template_args), MACRO(__cpp_sized_deallocation);
    MACRO(__cpp_aligned_new), MACRO(__cpp_using_enum), MACRO(__cpp_rtti), MACRO(__cpp_exceptions);
    MACRO(__cpp_threadsafe_static_init), MACRO(__cpp_hex_float), MACRO(__cpp_template_template_args);
    MACRO(__cpp_lib_to_chars), MACRO(__cpp_lib_format), MACRO(__cpp_lib_execution), MACRO(__cpp_lib_parallel_algorithm);
    MACRO(__cpp_lib_math_special_functions), MACRO(__cpp_lib_memory_resource), MACRO(__cpp_lib_hypot);
    MACRO(__cpp_lib_filesystem), MACRO(__cpp_lib_any), MACRO(__cpp_lib_optional), MACRO(__cpp_lib_variant);
    MACRO(__cpp_lib_string_view), MACRO(__cpp_lib_shared_mutex), MACRO(__cpp_lib_scoped_lock), MACRO(__cpp_lib_byte);
    MACRO(__cpp_lib_launder), MACRO(__cpp_lib_hardware_interference_size), MACRO(__cpp_lib_gcd_lcm);
    MACRO(__cpp_lib_clamp), MACRO(__cpp_lib_sample), MACRO(__cpp_lib_not_fn), MACRO(__cpp_lib_invoke);
    MACRO(__cpp_lib_atomic_ref), MACRO(__cpp_lib_atomic_float), MACRO(__cpp_lib_atomic_shared_ptr);
    MACRO(__cpp_lib_atomic_wait), MACRO(__cpp_lib_barrier), MACRO(__cpp_lib_latch), MACRO(__cpp_lib_semaphore);
    MACRO(__cpp_lib_jthread), MACRO(__cpp_lib_bit_cast), MACRO(__cpp_lib_bitops), MACRO(__cpp_lib_endian);
    MACRO(__cpp_lib_chrono), MACRO(__cpp_lib_concepts), MACRO(__cpp_lib_coroutine), MACRO(__cpp_lib_erase_if);
    MACRO(__cpp_lib_generic_unordered_lookup), MACRO(__cpp_lib_int_pow2), MACRO(__cpp_lib_interpolate);
    MACRO(__cpp_lib_is_constant_evaluated), MACRO(__cpp_lib_is_layout_compatible), MACRO(__cpp_lib_math_constants);
    MACRO(__cpp_lib_polymorphic_allocator), MACRO(__cpp_lib_ranges), MACRO(__cpp_lib_remove_cvref);
    MACRO(__cpp_lib_smart_ptr_for_overwrite), MACRO(__cpp_lib_source_location), MACRO(__cpp_lib_span);
    MACRO(__cpp_lib_ssize), MACRO(__cpp_lib_starts_ends_with), MACRO(__cpp_lib_syncbuf),
        MACRO(__cpp_lib_three_way_comparison);
    MACRO(__cpp_lib_to_address), MACRO(__cpp_lib_to_array), MACRO(__cpp_lib_unwrap_ref);
}

struct Point {
    int x, y;
    auto operator<=>(const Point &) const = default;
};

static void library() {
    real("midpoint", std::midpoint(0.1, 0.7)), real("lerp", std::lerp(0.1, 0.7, 0.3)), real("pi", std::numbers::pi);
    number("bit_cast", std::bit_cast<int>(1.5f)), number("popcount", std::popcount(255u)),
        number("bit_ceil", std::bit_ceil(9u));
    number("three ways", Point{1, 2} < Point{1, 3});
    auto even = std::vector{1, 2, 3, 4, 5} | std::views::filter([](int n) { return n % 2 == 0; });
    number("a view", std::ranges::distance(even));
    text("starts_with", std::string("abc").starts_with("ab") ? "true" : "false");
    std::atomic<int> waits = 0;
    std::thread other([&] { waits = 1, waits.notify_one(); });
    waits.wait(0), other.join(), number("atomic wait", waits);
    std::counting_semaphore<4> semaphore(1);
    number("semaphore", semaphore.try_acquire() * 2 + semaphore.try_acquire());
    std::atomic<double> sum = 1;
    sum += 0.5, real("a sum in an atomic", sum);
    number("a day", std::chrono::sys_days(std::chrono::year(2026) / 12 / 1).time_since_epoch().count());
    number("sizeof char8_t", sizeof(u8"a"[0]));
#ifdef __cpp_lib_source_location
    text("source_location", std::source_location::current().function_name());
#endif
#ifdef __cpp_lib_format
    text("format", std::format("{:>6} {:.3} {:#x} {} {:e}", "a", 0.1234, 255, 1e21, 2.0).c_str());
#endif
}

FACTS(cxx_20) { macros(), library(); }
