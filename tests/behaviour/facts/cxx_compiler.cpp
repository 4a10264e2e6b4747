/* Macros of C++, and what the language gives: exceptions, types, threads, order of constructors. */
#include "facts.h"

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <functional>
#include <future>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <typeindex>
#include <typeinfo>
#include <vector>

#include "compiler.h"

namespace {
std::string order;
struct Logs {
    const char *name;
    explicit Logs(const char *name) : name(name) { order += name; }
    ~Logs() {
        if (name[0] >= 'A' && name[0] <= 'Z') order += name;
    }
};
}  // namespace

static std::string *early = new std::string("early");
static Logs one("1"), two("2");
static Logs first __attribute__((init_priority(200)))("0");

struct Base {
    virtual ~Base() = default;
    virtual int kind() const { return 1; }
};
struct Left : virtual Base {
    int kind() const override { return 2; }
};
struct Right : virtual Base {};
struct Both : Left, Right {
    int kind() const override { return 3; }
};
namespace {
struct Hidden : Base {};
}  // namespace
template <typename T> struct Box : Base {};
struct Empty {};
struct DerivedFromEmpty : Empty {
    Empty member;
};
enum class Scoped : short { A };
struct NonTrivial {
    char a;
    NonTrivial() : a(0) {}
};
struct Tail : NonTrivial {
    char b;
};

static void types() {
    Both both;
    Base *base = &both;
    number("dynamic_cast to a sibling", dynamic_cast<Right *>(static_cast<Left *>(&both)) != nullptr);
    number("dynamic_cast that fails", dynamic_cast<Hidden *>(base) != nullptr);
    number("dynamic_cast<void *>", dynamic_cast<void *>(base) == &both);
    text("typeid of int", typeid(int).name());
    text("typeid of a class", typeid(*base).name());
    text("typeid of a hidden class", typeid(Hidden).name());
    text("typeid of a template", typeid(Box<Box<long double>>).name());
    text("typeid of std::string", typeid(std::string).name());
    text("typeid of std::function", typeid(std::function<int()>).name());
    text("typeid of nullptr_t", typeid(nullptr).name());
    text("typeid of wchar_t and char16_t", (std::string(typeid(wchar_t).name()) + typeid(char16_t).name()).c_str());
    text("typeid of size_t", typeid(std::size_t).name());
    text("typeid of int64_t", typeid(std::int64_t).name());
    text("typeid of va_list", typeid(va_list).name());
    number("type_index", std::type_index(typeid(Left)) == std::type_index(typeid(Left)));
    try {
        (void)dynamic_cast<Hidden &>(*base);
    } catch (const std::bad_cast &error) { text("what of bad_cast", error.what()); }
    number("sizeof Both", sizeof(Both)), number("sizeof Left", sizeof(Left)), number("sizeof Empty", sizeof(Empty));
    number("sizeof DerivedFromEmpty", sizeof(DerivedFromEmpty)), number("sizeof Tail", sizeof(Tail));
    number("sizeof a member pointer", sizeof(&Base::kind)), number("sizeof a scoped enum", sizeof(Scoped));
    number("sizeof bool", sizeof(bool)), number("the default alignment of new", __STDCPP_DEFAULT_NEW_ALIGNMENT__);
}

struct Unwinds {
    int *count;
    ~Unwinds() { ++*count; }
};
__attribute__((noinline)) static void throws(int depth, int *count) {
    Unwinds unwinds{count};
    if (depth) throws(depth - 1, count);
    else throw std::system_error(std::make_error_code(std::errc::no_such_file_or_directory), "opening");
}

template <typename Function> static std::string raised(Function function) {
    try {
        function();
    } catch (const std::exception &error) { return error.what(); } catch (...) {
        return "something else";
    }
    return "nothing";
}

static void exceptions() {
    int unwound = 0;
    text("what of system_error", raised([&] { throws(3, &unwound); }).c_str());
    number("unwound", unwound);
    text("what of bad_alloc", raised([] {
             volatile std::size_t huge = static_cast<std::size_t>(-1) / 2;
             delete[] new char[huge];
         }).c_str());
    text("what of at", raised([] { std::vector<int>(3).at(7); }).c_str());
    text("what of a string's at", raised([] { std::string("abc").at(7); }).c_str());
    text("what of stoi", raised([] { (void)std::stoi("x"); }).c_str());
    text("what of bad_function_call", raised([] { std::function<void()>()(); }).c_str());
    text("what of future_error", raised([] {
             std::promise<int> promise;
             promise.set_value(1), promise.set_value(2);
         }).c_str());
    text("an int is caught as", raised([] { throw 7; }).c_str());
    std::exception_ptr kept;
    try {
        throw std::out_of_range("far");
    } catch (...) { kept = std::current_exception(); }
    text("exception_ptr", raised([&] { std::rethrow_exception(kept); }).c_str());
    text("nested", raised([] {
             try {
                 throw std::runtime_error("inner");
             } catch (...) {
                 try {
                     std::throw_with_nested(std::logic_error("outer"));
                 } catch (const std::exception &error) { std::rethrow_if_nested(error); }
             }
         }).c_str());
    number("uncaught_exceptions", std::uncaught_exceptions());
    static int attempts = 0;
    struct Fails {
        Fails() {
            if (attempts++ == 0) throw std::runtime_error("first");
        }
    };
    for (int i = 0; i < 2; i++) raised([] { static Fails fails; });
    number("a static whose constructor throws is made again", attempts);
    number("new (nothrow)", [] {
        volatile std::size_t huge = static_cast<std::size_t>(-1) / 2;
        char *volatile none = new (std::nothrow) char[huge];
        bool is_none = none == nullptr;
        delete[] none;
        return is_none;
    }());
    struct alignas(128) Wide {
        char a;
    };
    auto *wide = new Wide;
    number("new of alignment 128", reinterpret_cast<std::uintptr_t>(wide) % 128 == 0);
    delete wide;
}

static std::atomic<int> ended{0}, made{0};
struct OfThread {
    OfThread() { made++; }
    ~OfThread() { ended++; }
    int value = 5;
};
static thread_local OfThread of_thread;
thread_local std::string text_of_thread = "begins";

static void threads() {
    int value = 0;
    std::thread([&] { value = of_thread.value++, text_of_thread += " other"; }).join();
    number("thread_local", value + 100 * made + 10000 * ended);
    text("thread_local text", text_of_thread.c_str());
    std::once_flag once;
    int calls = 0;
    raised([&] { std::call_once(once, [] { throw std::runtime_error("not yet"); }); });
    std::call_once(once, [&] { calls++; }), std::call_once(once, [&] { calls++; });
    number("call_once", calls);
    number("async", std::async(std::launch::async, [] { return 8; }).get());
    text("an exception of another thread", raised([] {
             std::async(std::launch::async, []() -> int { throw std::range_error("there"); }).get();
         }).c_str());
    std::vector<std::thread> many;
    static int counted = 0;
    std::mutex mutex;
    for (int i = 0; i < 4; i++)
        many.emplace_back([&] {
            for (int n = 0; n < 100; n++) {
                std::lock_guard<std::mutex> lock(mutex);
                counted++;
            }
        });
    for (auto &thread : many) thread.join();
    number("counted under a mutex", counted);
    number("std::atomic<double>", std::atomic<double>(1.5).exchange(2) == 1.5);
    struct Pair {
        long long a, b;
    };
    std::atomic<Pair> pair{Pair{1, 2}};
#ifdef STORES_PAIRS
    number("std::atomic of a pair", pair.exchange(Pair{3, 4}).b);
#endif
    number("std::atomic of a pair has no lock", pair.is_lock_free());
    number("std::atomic of a pair never has a lock", std::atomic<Pair>::is_always_lock_free);
    number("hardware_concurrency", std::thread::hardware_concurrency() > 0);
}

FACTS(cxx_compiler) {
    macros();
    text("order of constructors", order.c_str());
    text("a static made by new", early->c_str());
    types(), exceptions(), threads();
    real("std::abs of long double", static_cast<double>(std::abs(-1.5L)));
    real("std::hypot of three", std::hypot(2.0, 3.0, 6.0));
    real("std::pow of integers", std::pow(2, 3));
    number("std::lround", std::lround(2.5L));
}
