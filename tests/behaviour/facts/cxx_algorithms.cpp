/* What the standard leaves to the C++ library: random numbers, orders, traits of its types. */
#include "facts.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <complex>
#include <deque>
#include <filesystem>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#define TRAITS(...)                                                                                                    \
    number("traits of " #__VA_ARGS__, std::is_trivially_copyable<__VA_ARGS__>::value |                                 \
                                          std::is_nothrow_move_constructible<__VA_ARGS__>::value << 1 |                \
                                          std::is_nothrow_default_constructible<__VA_ARGS__>::value << 2 |             \
                                          std::is_trivially_destructible<__VA_ARGS__>::value << 3 |                    \
                                          std::is_standard_layout<__VA_ARGS__>::value << 4)
#define HASH(type, value) number("hash of a " #type, static_cast<long long>(std::hash<type>()(value) & 0x7fffffff))

template <class Values> static std::string joined(const Values &values) {
    std::string all;
    for (const auto &each : values) all += std::to_string(each) + " ";
    return all;
}

template <class Distribution> static void draws(const char *name, Distribution distribution) {
    std::mt19937 engine(7);
    for (int i = 0; i < 3; i++) distribution(engine);
    real(name, static_cast<double>(distribution(engine)));
    number((std::string(name) + ": numbers drawn from the engine after it").c_str(), static_cast<long long>(engine()));
}

static void random_numbers() {
    draws("random: uniform_int", std::uniform_int_distribution<int>(0, 999));
    draws("random: uniform_int of a byte", std::uniform_int_distribution<short>(0, 255));
    draws("random: uniform_real", std::uniform_real_distribution<double>(0, 1));
    draws("random: uniform_real of float", std::uniform_real_distribution<float>(0, 1));
    draws("random: bernoulli", std::bernoulli_distribution(0.3));
    draws("random: binomial", std::binomial_distribution<int>(40, 0.3));
    draws("random: cauchy", std::cauchy_distribution<double>(1, 2));
    draws("random: chi_squared", std::chi_squared_distribution<double>(3));
    draws("random: discrete", std::discrete_distribution<int>{3, 1, 5, 2});
    draws("random: exponential", std::exponential_distribution<double>(1.5));
    draws("random: extreme_value", std::extreme_value_distribution<double>(1, 2));
    draws("random: fisher_f", std::fisher_f_distribution<double>(3, 4));
    draws("random: gamma", std::gamma_distribution<double>(2, 3));
    draws("random: geometric", std::geometric_distribution<int>(0.2));
    draws("random: lognormal", std::lognormal_distribution<double>(0, 1));
    draws("random: negative_binomial", std::negative_binomial_distribution<int>(5, 0.4));
    draws("random: normal", std::normal_distribution<double>(0, 1));
    draws("random: poisson", std::poisson_distribution<int>(50));
    draws("random: student_t", std::student_t_distribution<double>(4));
    draws("random: weibull", std::weibull_distribution<double>(1.5, 2));
    std::mt19937_64 wide(7);
    std::ranlux48 slow(7);
    std::knuth_b shuffles(7);
    std::minstd_rand minimal(7);
    std::default_random_engine usual(7);
    number("engine: mt19937_64", static_cast<long long>(wide())), number("engine: ranlux48", slow());
    number("engine: knuth_b", shuffles()), number("engine: minstd_rand", minimal()), number("engine: default", usual());
    std::seed_seq seeds{1, 2, 3};
    number("engine: seed_seq", static_cast<long long>(std::mt19937(seeds)()));
    std::mt19937 engine(7);
    real("random: generate_canonical", std::generate_canonical<double, 53>(engine));
    std::vector<int> all(20), few;
    std::iota(all.begin(), all.end(), 0);
    std::sample(all.begin(), all.end(), std::back_inserter(few), 5, std::mt19937(7));
    text("random: sample", joined(few).c_str());
}

static void orders() {
    using Pair = std::pair<int, int>;
    auto by_first = [](const Pair &a, const Pair &b) { return a.first < b.first; };
    auto seconds = [](const std::vector<Pair> &pairs) {
        std::string all;
        for (const Pair &each : pairs) all += std::to_string(each.second) + " ";
        return all;
    };
    std::vector<Pair> pairs;
    for (int i = 0; i < 60; i++) pairs.emplace_back(i * 7 % 5, i);
    std::vector<Pair> few(pairs.begin(), pairs.begin() + 12), each = few;
    std::sort(each.begin(), each.end(), by_first), text("order: sort of 12", seconds(each).c_str());
    each = pairs, std::sort(each.begin(), each.end(), by_first), text("order: sort of 60", seconds(each).c_str());
    each = pairs, std::stable_sort(each.begin(), each.end(), by_first);
    text("order: stable_sort", seconds(each).c_str());
    each = pairs, std::nth_element(each.begin(), each.begin() + 20, each.end(), by_first);
    text("order: nth_element", seconds(each).c_str());
    each = pairs, std::partial_sort(each.begin(), each.begin() + 8, each.end(), by_first);
    text("order: partial_sort", seconds(each).c_str());
    each = few, std::make_heap(each.begin(), each.end(), by_first), text("order: make_heap", seconds(each).c_str());
    std::pop_heap(each.begin(), each.end(), by_first), text("order: pop_heap", seconds(each).c_str());
    each = few,
    std::sort_heap(each.begin(), (std::make_heap(each.begin(), each.end(), by_first), each.end()), by_first);
    text("order: sort_heap", seconds(each).c_str());
    each = few, std::partition(each.begin(), each.end(), [](const Pair &pair) { return pair.first > 2; });
    text("order: partition", seconds(each).c_str());
    auto ends = std::minmax_element(few.begin(), few.end(), by_first);
    number("order: minmax_element", ends.first->second * 100 + ends.second->second);
    std::unordered_map<std::string, int> words;
    for (int i = 0; i < 12; i++) words["word" + std::to_string(i)] = i;
    std::string of_words, of_equals;
    for (const auto &word : words) of_words += word.first + " ";
    text("order: unordered_map of words", of_words.c_str());
    std::unordered_multimap<int, int> equals{{1, 1}, {1, 2}, {2, 3}, {1, 4}};
    for (const auto &pair : equals) of_equals += std::to_string(pair.second) + " ";
    text("order: unordered_multimap", of_equals.c_str());
    std::multimap<int, int> sorted{{1, 1}, {0, 2}, {1, 3}, {1, 4}};
    number("order: find in a multimap", sorted.find(1)->second);
    std::unordered_set<int> grows;
    std::string buckets;
    for (int i = 0, before = 0; i < 300; i++) {
        grows.insert(i);
        if (before != static_cast<int>(grows.bucket_count()))
            buckets += std::to_string(before = static_cast<int>(grows.bucket_count())) + " ";
    }
    text("order: buckets", buckets.c_str());
    std::string letters, capacities;
    for (std::size_t before = letters.capacity(); letters.size() < 300; letters += 'x')
        if (before != letters.capacity()) capacities += std::to_string(before = letters.capacity()) + " ";
    text("how a string grows", capacities.c_str());
}

static void types() {
    TRAITS(std::pair<int, int>), TRAITS(std::tuple<int, int>), TRAITS(std::complex<double>), TRAITS(std::string);
    TRAITS(std::vector<int>), TRAITS(std::deque<int>), TRAITS(std::list<int>), TRAITS(std::map<int, int>);
    TRAITS(std::set<int>), TRAITS(std::unordered_map<int, int>), TRAITS(std::function<void()>);
    TRAITS(std::optional<int>), TRAITS(std::optional<std::string>), TRAITS(std::variant<int, double>);
    TRAITS(std::string_view), TRAITS(std::reference_wrapper<int>), TRAITS(std::shared_ptr<int>);
    TRAITS(std::filesystem::path), TRAITS(std::mt19937), TRAITS(std::thread::id), TRAITS(std::array<int, 0>);
    using FileTime = std::filesystem::file_time_type;
    number("file_time_type: sizeof", sizeof(FileTime)), number("file_time_type: ratio", FileTime::period::den);
    number("file_time_type: begins with 1970",
           std::filesystem::last_write_time("/proc/self/exe").time_since_epoch().count() > 0);
    number("is_integral of __int128", [] {
#ifdef __SIZEOF_INT128__
        return std::is_integral<__int128>::value + 2 * std::numeric_limits<__int128>::is_specialized;
#else
        return -1;
#endif
    }());
    HASH(bool, true), HASH(char, 'a'), HASH(long long, -1), HASH(float, 1.5f), HASH(long double, 1.5L);
    HASH(float, -0.0f), HASH(std::string_view, "abc"), HASH(std::wstring, L"abc"), HASH(std::nullptr_t, nullptr);
    HASH(std::optional<int>, 42), HASH(std::filesystem::path, "/a/b"), HASH(std::vector<bool>, {true});
    HASH(int *, reinterpret_cast<int *>(0x1230));
    number("the word of std::hash", sizeof(std::hash<int>()(1)));
}

static void left_over() {
    std::string word = "short", copied = std::move(word);
    number("moved from: a string's size", static_cast<long long>(word.size()));
    std::function<int()> function = [] { return 1; }, taken = std::move(function);
    number("moved from: a function is callable", static_cast<bool>(function));
    std::optional<int> optional = 1, second = std::move(optional);
    number("moved from: an optional has a value", optional.has_value());
    std::list<int> list{1, 2}, other = std::move(list);
    number("moved from: a list's size", static_cast<long long>(list.size()));
    std::unordered_map<int, int> map{{1, 1}}, another = std::move(map);
    number("moved from: a map's size", static_cast<long long>(map.size()));
    std::vector<int> values{1, 2, 1, 3, 1};
    (void)std::remove(values.begin(), values.end(), 1), text("what remove leaves", joined(values).c_str());
    values = {1, 1, 2, 2, 3}, (void)std::unique(values.begin(), values.end());
    text("what unique leaves", joined(values).c_str());
    number("compare of strings", std::string("abc").compare("abz")),
        number("and of lengths", std::string("ab").compare("abcd"));
}

FACTS(cxx_algorithms) { random_numbers(), orders(), types(), left_over(); }
