/* Threads that end in the middle, which unwinds their stack: what is on it is destroyed, and `catch (...)` is passed. */
#include "facts.h"

#include <pthread.h>
#include <unistd.h>

#include <exception>

static int order_of_ends;
struct EndsAs {
    int number;
    ~EndsAs() { order_of_ends = order_of_ends * 10 + number; }
};

static void *cancelled(void *) {
    EndsAs local{7};
    try {
        pthread_testcancel();
        for (;;) pause();
    } catch (const std::exception &) { order_of_ends = -1; } catch (...) {
        order_of_ends = order_of_ends * 10 + 5;
        throw;
    }
    return nullptr;
}

FACTS(ended_threads) {
    order_of_ends = 0;
    pthread_t thread;
    void *gave = nullptr;
    if (pthread_create(&thread, nullptr, cancelled, nullptr) == 0) {
        pthread_cancel(thread);
        pthread_join(thread, &gave);
    }
    number("a cancelled thread", gave == PTHREAD_CANCELED), number("unwinds", order_of_ends);
    order_of_ends = 0;
    pthread_create(
        &thread, nullptr,
        [](void *) -> void * {
            EndsAs local{3};
            pthread_exit(nullptr);
        },
        nullptr);
    pthread_join(thread, nullptr);
    number("pthread_exit unwinds", order_of_ends);
}
