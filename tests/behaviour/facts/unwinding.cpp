/* What happens on the way out: exceptions through C, jumps, threads, destructors at the end, own operators. */
#include "facts.h"

#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

#include <csetjmp>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <functional>
#include <future>
#include <iostream>
#include <memory>
#include <mutex>
#include <new>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <typeinfo>
#include <vector>

static int counted;
struct Counts {
    ~Counts() { counted++; }
};
struct Failure {
    int code;
};

/* ---- through C ----------------------------------------------------------------------------------------------- */

static int compares(const void *a, const void *b) {
    if (*static_cast<const int *>(a) == 3) throw Failure{3};
    return *static_cast<const int *>(a) - *static_cast<const int *>(b);
}

static void through_c() {
    int numbers[] = {5, 3, 1};
    int caught = 0;
    try {
        Counts counts;
        std::qsort(numbers, 3, sizeof *numbers, compares);
    } catch (const Failure &failure) { caught = failure.code; }
    number("an exception through qsort", caught), number("and its destructors", counted);
    counted = 0;
    std::jmp_buf place;
    if (!setjmp(place)) [&] { std::longjmp(place, 1); }();
    else number("a jump out of a lambda", 1);
    struct Thrower {
        int *seen;
        ~Thrower() noexcept(false) {
            *seen = std::uncaught_exceptions();
            throw Failure{9};
        }
    };
    int seen = -1;
    try {
        Thrower thrower{&seen};
    } catch (const Failure &failure) { number("an exception of a destructor", failure.code + seen); }
    try {
        try {
            throw Failure{1};
        } catch (Failure &failure) {
            failure.code = 5;
            throw;
        }
    } catch (const Failure &failure) { number("a changed exception is rethrown", failure.code); }
    const char *kind = "";
    try {
        throw static_cast<const char *>("words");
    } catch (const void *) { kind = "const void *"; } catch (...) { kind = "other"; }
    text("a text is caught as", kind);
    try {
        throw nullptr;
    } catch (const int *) { kind = "int *"; } catch (...) { kind = "other"; }
    text("nullptr is caught as", kind);
    struct Base {
        virtual ~Base() = default;
    };
    struct One : Base {};
    struct Other : Base {};
    struct Diamond : One, Other {};
    try {
        throw Diamond();
    } catch (const Base &) { kind = "Base"; } catch (const One &) { kind = "One"; }
    text("an ambiguous base is caught as", kind);
    try {
        throw Failure{2};
    } catch (Failure) { kind = typeid(Failure).name(); }
    text("typeid of a class in the file", kind);
    int array_built = 0;
    static int *built;
    built = &array_built;
    struct Third {
        Third() {
            if (++*built == 3) throw Failure{3};
        }
        ~Third() { counted++; }
    };
    counted = 0;
    try {
        std::unique_ptr<Third[]> thirds(new Third[5]);
    } catch (const Failure &) {}
    number("elements of an array that failed are destroyed", counted);
    auto function_try = [](int code) -> int {
        struct Holder {
            Failure failure;
            explicit Holder(int code) try : failure{code ? throw Failure{code} : 0} {
            } catch (const Failure &failure) { throw Failure{failure.code * 2}; }
        };
        try {
            Holder holder(code);
        } catch (const Failure &failure) { return failure.code; }
        return 0;
    };
    number("a function try block", function_try(4));
}

/* ---- threads ------------------------------------------------------------------------------------------------- */

static int order_of_ends;
struct EndsAs {
    int number;
    ~EndsAs() { order_of_ends = order_of_ends * 10 + number; }
};
static thread_local EndsAs first_of_thread{1};
static thread_local EndsAs second_of_thread{2};

static void threads() {
    order_of_ends = 0;
    std::thread([] { (void)second_of_thread.number, (void)first_of_thread.number; }).join();
    number("order in which a thread's objects end", order_of_ends);
    std::once_flag once;
    int calls = 0;
    for (int i = 0; i < 3; i++) {
        try {
            std::call_once(once, [&] {
                if (++calls < 2) throw Failure{1};
            });
        } catch (const Failure &) {}
    }
    number("call_once after an exception", calls);
    std::promise<int> promise;
    std::thread([&] {
        try {
            throw std::range_error("of a thread");
        } catch (...) { promise.set_exception(std::current_exception()); }
    }).join();
    try {
        promise.get_future().get();
    } catch (const std::range_error &error) { text("an exception of another thread", error.what()); }
    auto later = std::async(std::launch::async, [] { return 42; });
    number("async", later.get());
    std::packaged_task<int(int)> task([](int value) { return value * 2; });
    auto result = task.get_future();
    task(21);
    number("packaged_task", result.get());
    std::mutex mutex;
    std::condition_variable condition;
    bool ready = false;
    std::thread other([&] {
        std::lock_guard<std::mutex> lock(mutex);
        ready = true;
        condition.notify_one();
    });
    std::unique_lock<std::mutex> lock(mutex);
    condition.wait(lock, [&] { return ready; });
    lock.unlock();
    other.join();
    number("condition_variable", ready);
    try {
        std::thread none;
        none.join();
    } catch (const std::system_error &error) { number("join of no thread", error.code() == std::errc::invalid_argument); }
}

/* ---- memory and the language --------------------------------------------------------------------------------- */

static int own_news, own_deletes;
struct Own {
    char space[40];
    static void *operator new(std::size_t size) {
        own_news += static_cast<int>(size);
        return std::malloc(size);
    }
    static void operator delete(void *at, std::size_t size) {
        own_deletes += static_cast<int>(size);
        std::free(at);
    }
};
struct WithDestructor {
    int value;
    ~WithDestructor() {}
};
struct Virtual {
    virtual void one() {}
    virtual ~Virtual() {}
    int a;
    char b;
};
struct Inherits : Virtual {
    char c;
    short d;
};
struct alignas(32) Wide {
    char a;
};
struct HoldsWide {
    char a;
    Wide b;
    bool flag : 1;
};
struct Bits : Virtual {
    unsigned long long first : 37;
    bool second : 1;
    enum class Kind : unsigned char { A, B } kind : 2;
};
struct NoUnique {
    struct Nothing {};
    [[no_unique_address]] Nothing nothing;
    int value;
};
struct NoUniqueTwice {
    struct Nothing {};
    [[no_unique_address]] Nothing one;
    [[no_unique_address]] Nothing two;
    char value;
};
class MixedAccess {
    int a;

  public:
    char b;

  protected:
    long long c;
};
enum Plain { A, B };
enum Big : unsigned long long { C = ~0ULL };
template <typename... T> struct Pack {};
namespace other {
inline namespace v2 {
struct Versioned {};
}  // namespace v2
}  // namespace other

static void language() {
    delete new Own;
    number("an own operator new", own_news * 1000 + own_deletes);
    number("cookie of an array", [] {
        auto *array = new WithDestructor[3];
        long long cookie = reinterpret_cast<std::size_t *>(array)[-1];
        delete[] array;
        return cookie;
    }());
    number("sizeof Inherits", sizeof(Inherits)), number("sizeof HoldsWide", sizeof(HoldsWide)), number("sizeof Bits", sizeof(Bits));
    number("sizeof NoUnique", sizeof(NoUnique)), number("sizeof NoUniqueTwice", sizeof(NoUniqueTwice));
    number("sizeof MixedAccess", sizeof(MixedAccess)), number("sizeof Plain", sizeof(Plain)), number("sizeof Big", sizeof(Big));
    number("sizeof a method pointer", sizeof(&Virtual::one)), number("sizeof a data pointer", sizeof(&Virtual::a));
    number("alignof Wide", alignof(Wide));
    text("typeid of a pack", typeid(Pack<int, Plain, decltype(nullptr)>).name());
    text("typeid of an inline namespace", typeid(other::Versioned).name());
    text("typeid of a method", typeid(&Virtual::one).name()), text("typeid of noexcept", typeid(void (*)() noexcept).name());
    text("typeid of __int128 or long long",
#ifdef __SIZEOF_INT128__
         typeid(__int128).name()
#else
         typeid(long long).name()
#endif
    );
    text("typeid of long double", typeid(long double).name()), text("typeid of char8_t's char", typeid(u8"a"[0]).name());
    number("__cplusplus", __cplusplus), number("__cpp_exceptions", __cpp_exceptions);
    number("__cpp_sized_deallocation",
#ifdef __cpp_sized_deallocation
           __cpp_sized_deallocation
#else
           0
#endif
    );
    number("__cpp_aligned_new",
#ifdef __cpp_aligned_new
           __cpp_aligned_new
#else
           0
#endif
    );
    number("__cpp_threadsafe_static_init", __cpp_threadsafe_static_init), number("__cpp_rtti", __cpp_rtti);
    std::string order;
    auto said = [&](const char *name) {
        order += name;
        return 1;
    };
    int array[2] = {0, 0};
    array[said("a") - 1] = said("b");
    (void)(said("c") << said("d"));
    text("order of an assignment and a shift", order.c_str());
    order.clear();
    struct Chain {
        Chain &next(int) { return *this; }
    };
    Chain().next(said("1")).next(said("2"));
    text("order of a chain", order.c_str());
    order.clear();
    std::vector<int> list{said("x"), said("y"), said("z")};
    text("order in braces", order.c_str());
    number("is_trivially_copyable of a pair", std::is_trivially_copyable<std::pair<int, int>>::value);
    number("is_pod", std::is_standard_layout<MixedAccess>::value);
    number("is_trivially_copyable of volatile", std::is_trivially_copyable<volatile int>::value);
    number("a null reference_wrapper's size", sizeof(std::reference_wrapper<int>));
    static int guarded = [] { return 6; }();
    number("a static of a function", guarded);
    std::streambuf *old = std::cerr.rdbuf();
    std::ostringstream instead;
    std::cerr.rdbuf(instead.rdbuf());
    std::cerr << "captured" << std::endl;
    std::cerr.rdbuf(old);
    text("std::cerr is redirected", instead.str().c_str());
    number("std::set_terminate", std::set_terminate(std::get_terminate()) != nullptr);
    number("std::get_new_handler", std::get_new_handler() == nullptr);
}

FACTS(unwinding) { through_c(), threads(), language(); }
