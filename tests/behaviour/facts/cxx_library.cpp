/* The C++ library: its ABI, sizes of its types, text, locales, files, and what it leaves to implementations. */
#include "facts.h"

#include <algorithm>
#include <any>
#include <bitset>
#include <charconv>
#include <chrono>
#include <complex>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <iomanip>
#include <iostream>
#include <limits>
#include <list>
#include <locale>
#include <map>
#include <memory>
#include <memory_resource>
#include <mutex>
#include <numeric>
#include <optional>
#include <queue>
#include <random>
#include <regex>
#include <set>
#include <shared_mutex>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

#define VALUE_OF(macro) number(#macro, macro)
#define SIZE(...) number("sizeof " #__VA_ARGS__, sizeof(__VA_ARGS__))

static const std::ios_base::Init begins_streams;
static const int width_before_anything = std::cout ? static_cast<int>(std::cout.width()) : -1;

static void sizes() {
    SIZE(std::string), SIZE(std::wstring), SIZE(std::vector<int>), SIZE(std::vector<bool>), SIZE(std::map<int, int>);
    SIZE(std::unordered_map<int, int>), SIZE(std::deque<int>), SIZE(std::list<int>), SIZE(std::set<int>);
    SIZE(std::function<void()>), SIZE(std::shared_ptr<int>), SIZE(std::unique_ptr<int>), SIZE(std::optional<double>);
    SIZE(std::variant<int, double, std::string>), SIZE(std::any), SIZE(std::tuple<char, int, char>), SIZE(std::mutex);
    SIZE(std::recursive_mutex), SIZE(std::shared_mutex), SIZE(std::condition_variable), SIZE(std::thread);
    SIZE(std::once_flag), SIZE(std::ostringstream), SIZE(std::fstream), SIZE(std::complex<long double>);
    SIZE(std::exception_ptr), SIZE(std::runtime_error), SIZE(std::locale), SIZE(std::regex), SIZE(std::mt19937);
    SIZE(std::filesystem::path), SIZE(std::chrono::steady_clock::time_point), SIZE(std::bitset<70>);
    SIZE(std::pmr::string), SIZE(std::pair<char, double>), SIZE(std::string_view), SIZE(std::future<int>);
    number("capacity of an empty string", static_cast<long long>(std::string().capacity()));
    std::vector<int> grows;
    std::string capacities;
    for (int i = 0; i < 20; i++) {
        grows.push_back(i);
        if (grows.size() == grows.capacity()) capacities += std::to_string(grows.size()) + " ";
    }
    text("how a vector grows", capacities.c_str());
}

static void implementation() {
#ifdef _GLIBCXX_USE_CXX11_ABI
    VALUE_OF(_GLIBCXX_USE_CXX11_ABI);
#else
    text("_GLIBCXX_USE_CXX11_ABI", "not defined");
#endif
#ifdef _GLIBCXX_RELEASE
    VALUE_OF(_GLIBCXX_RELEASE);
#else
    text("_GLIBCXX_RELEASE", "not defined");
#endif
#ifdef _LIBCPP_VERSION
    text("library", "libc++");
#else
    text("library", "libstdc++");
#endif
    std::mt19937 engine(7);
    number("mt19937", static_cast<long long>(engine()));
    number("uniform_int_distribution", std::uniform_int_distribution<int>(0, 999)(engine));
    real("uniform_real_distribution", std::uniform_real_distribution<double>(0, 1)(engine));
    real("normal_distribution", std::normal_distribution<double>(0, 1)(engine));
    std::vector<int> numbers(10);
    std::iota(numbers.begin(), numbers.end(), 0);
    std::shuffle(numbers.begin(), numbers.end(), engine);
    std::string shuffled, ordered;
    for (int each : numbers) shuffled += std::to_string(each);
    text("shuffle", shuffled.c_str());
    number("hash of a string", static_cast<long long>(std::hash<std::string>()("abc") & 0x7fffffff));
    number("hash of an int", static_cast<long long>(std::hash<int>()(42)));
    number("hash of a double", static_cast<long long>(std::hash<double>()(1.5) & 0x7fffffff));
    std::unordered_set<int> set{5, 3, 99, 1, 42, 17};
    for (int each : set) ordered += std::to_string(each) + " ";
    text("order of an unordered_set", ordered.c_str());
    number("buckets", static_cast<long long>(set.bucket_count()));
    std::vector<std::pair<int, int>> pairs;
    for (int i = 0; i < 40; i++) pairs.emplace_back(i % 3, i);
    std::sort(pairs.begin(), pairs.end(), [](const auto &a, const auto &b) { return a.first < b.first; });
    std::string equals;
    for (int i = 0; i < 8; i++) equals += std::to_string(pairs[i].second) + " ";
    text("order of equals after sort", equals.c_str());
    std::priority_queue<std::pair<int, int>, std::vector<std::pair<int, int>>, std::greater<>> queue;
    for (int i = 0; i < 5; i++) queue.emplace(5 - i, i);
    number("priority_queue", queue.top().second);
    std::random_device device;
    number("random_device", device() != device());
}

/* What a stream takes for a number, whether it complains, and what it leaves. */
template <class Number> static void reads(const char *type) {
    static const char *const written[] = {
        "1e-320", "1e-400", "-1e-400", "1e400", "-1e400", "1e39", "1e-42", "nan",   "inf",  "0x1p3", "0x10",  "0xz",
        "1.5cm",  "1.5abc", "10deg",   "1E5x",  "1e5e5",  "1p3",  "5.e2x", ".e2",   ".5e1", "5.",    "e5",    "1e",
        "1e+",    "-.5f",   "--1",     "1.5.2", "1-2",    "+1",   "4i",    "00012", "1,5",  "-e5",   "7e-2e", "",
    };
    for (const char *each : written) {
        std::istringstream in(each);
        Number number = 77;
        in >> number;
        bool failed = in.fail(), ended = in.eof();
        in.clear();
        std::string rest;
        std::getline(in, rest);
        std::ostringstream out;
        out << std::setprecision(9) << number << (failed ? " fails" : "") << (ended ? " at the end" : "") << ", "
            << rest;
        text((std::string(type) + " of " + each).c_str(), out.str().c_str());
    }
}

static void texts() {
    reads<float>("float"), reads<double>("double");
    std::ostringstream padded;
    padded << std::boolalpha << std::setw(7) << true << '|' << std::left << std::setw(7) << false << '|' << 5;
    text("words for bool are padded", padded.str().c_str());
    std::ostringstream no_text;
    no_text << static_cast<const char *>(nullptr);
    number("a null pointer for a text fails", no_text.bad());
    std::ostringstream out;
    out << std::hex << 255 << ' ' << std::setprecision(17) << 0.1 << ' ' << 1.5L << ' ' << std::boolalpha << true;
    out << ' ' << std::setw(6) << std::setfill('*') << std::left << 7 << ' ' << static_cast<void *>(nullptr);
    text("a stream", out.str().c_str());
    std::istringstream in("12 0.5 1e400 x");
    int i = 0;
    double d = 0, much = 0;
    in >> i >> d;
    number("read by a stream", i), real("read by a stream too", d);
    in >> much;
    number("a number too large fails", in.fail()), real("a number too large", much);
    text("to_string", (std::to_string(0.1) + " " + std::to_string(-7LL) + " " + std::to_string(1.5L)).c_str());
    real("stod", std::stod(" 1.5e3")), real("stold", static_cast<double>(std::stold("0.25")));
    char digits[64] = "";
    std::to_chars(digits, digits + sizeof digits - 1, 12345678901LL, 36);
    text("to_chars", digits);
    std::smatch match;
    std::string words = "key = value 42";
    number("regex", std::regex_search(words, match, std::regex("(\\w+)\\s*=\\s*(\\w+)\\s(\\d{2})")));
    text("regex found", match.str(2).c_str());
    text("regex_replace", std::regex_replace(words, std::regex("[aeiou]"), "<$&>").c_str());
    number("regex without case", std::regex_match("ABC", std::regex("abc", std::regex::icase)));
    try {
        std::regex wrong("[");
    } catch (const std::regex_error &error) {
        number("regex_error", error.code() == std::regex_constants::error_brack);
    }
    text("the classic locale", std::locale::classic().name().c_str());
    try {
        std::locale named("C.UTF-8");
        number("a named locale", std::use_facet<std::numpunct<char>>(named).decimal_point());
        number("toupper", std::toupper('a', named));
    } catch (const std::exception &) { text("a named locale", "not there"); }
    struct Point : std::numpunct<char> {
        char do_decimal_point() const override { return ','; }
        std::string do_grouping() const override { return "\3"; }
    };
    std::ostringstream local;
    local.imbue(std::locale(std::locale::classic(), new Point));
    local << 1234567 << ' ' << 0.5;
    text("an own facet", local.str().c_str());
    std::tm day{};
    day.tm_year = 126, day.tm_mon = 10, day.tm_mday = 30;
    std::ostringstream date;
    date << std::put_time(&day, "%Y-%m-%d %j");
    text("put_time", date.str().c_str());
    std::istringstream read_date("2026-11-30");
    read_date >> std::get_time(&day, "%Y-%m-%d");
    number("get_time", day.tm_mday);
    number("width before anything", width_before_anything);
    number("cout and cerr", std::cout.good() && std::cerr.good() && std::cin.tie() == &std::cout);
    std::wostringstream wide;
    wide << L"\x20ac" << 1.5;
    number("a wide stream", static_cast<long long>(wide.str().size()));
}

static void files() {
    namespace fs = std::filesystem;
    fs::path folder = fs::temp_directory_path() / ("facts-" + std::to_string(::getpid()));
    fs::create_directories(folder / "a" / "b");
    std::ofstream(folder / "a" / "file.txt") << "text\n" << 42;
    number("file_size", static_cast<long long>(fs::file_size(folder / "a" / "file.txt")));
    std::ifstream in(folder / "a" / "file.txt");
    std::string line;
    std::getline(in, line);
    int value = 0;
    in >> value;
    number("read from a file", value);
    number("entries", std::distance(fs::recursive_directory_iterator(folder), fs::recursive_directory_iterator()));
    std::error_code error;
    fs::file_size(folder / "missing", error);
    number("error_code", error == std::errc::no_such_file_or_directory);
    text("message", error.message().c_str());
    text("category", error.category().name());
    text("relative", fs::path("/a/b/../c").lexically_normal().lexically_relative("/a").c_str());
    text("extension", fs::path("x/y.tar.gz").extension().c_str());
    in.close();
    number("remove_all", static_cast<long long>(fs::remove_all(folder)));
}

static void memory() {
    char space[4096];
    std::pmr::monotonic_buffer_resource resource(space, sizeof space, std::pmr::null_memory_resource());
    std::pmr::vector<std::pmr::string> words(&resource);
    words.emplace_back("a text that is longer than any small buffer of a string");
    number("pmr is in the buffer", words[0].data() > space && words[0].data() < space + sizeof space);
    std::shared_ptr<int> shared = std::make_shared<int>(5);
    std::weak_ptr<int> weak = shared;
    number("use_count", shared.use_count());
    shared.reset();
    number("expired", weak.expired());
    std::any any = std::string("text");
    text("any_cast", std::any_cast<std::string>(any).c_str());
    try {
        std::any_cast<int>(any);
    } catch (const std::bad_any_cast &error) { text("what of bad_any_cast", error.what()); }
    std::variant<int, std::string> variant = "text";
    number("variant", static_cast<long long>(variant.index()));
    try {
        std::get<int>(variant);
    } catch (const std::bad_variant_access &) { number("bad_variant_access", 1); }
    number("ratio of system_clock", std::chrono::system_clock::period::den);
    number("ratio of high_resolution_clock", std::chrono::high_resolution_clock::period::den);
    number("high_resolution_clock is steady", std::chrono::high_resolution_clock::is_steady);
    number("digits of long double", std::numeric_limits<long double>::digits);
    number("is_iec559 of long double", std::numeric_limits<long double>::is_iec559);
    real("abs of complex", std::abs(std::complex<double>(3, 4)));
    real("pow of complex", std::pow(std::complex<double>(1, 2), 2).real());
    number("gcd", std::gcd(12, 18));
    number("aligned_alloc", reinterpret_cast<std::uintptr_t>(::operator new(8, std::align_val_t(256))) % 256);
}

FACTS(cxx_library) { sizes(), implementation(), texts(), files(), memory(); }
