/* Threads of C: storage of a thread in each model, its end, errno, atomics of each size. */
#define _GNU_SOURCE
#include "facts.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

static __thread int dynamic_model = 1;
__thread int global_model = 2;
#ifdef FOR_MUSL /* which loads no library of that model later than at the start */
#define INITIAL_EXEC
#else
#define INITIAL_EXEC __attribute__((tls_model("initial-exec")))
#endif
static __thread int initial_exec INITIAL_EXEC = 3;
static __thread int initial_exec_other INITIAL_EXEC;
static __thread long double aligned __attribute__((aligned(64)));

static pthread_key_t key;
static int destroyed;
static atomic_int total;

static void destroy(void *value) { destroyed += *(int *)value; }

static void *begin(void *value) {
    static int five = 5;
    errno = 77;
    dynamic_model += 10, global_model += 10, initial_exec += 10, initial_exec_other = 9, aligned = 1;
    pthread_setspecific(key, &five);
    for (int i = 0; i < 1000; i++) atomic_fetch_add(&total, 1);
    *(int *)value = dynamic_model + global_model + initial_exec + (((uintptr_t)&aligned % 64) == 0);
    pthread_exit(value);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int times;
static void only_once(void) { times++; }

static void storage(void) {
    pthread_t threads[2];
    int sums[2];
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 1 << 18);
    pthread_key_create(&key, destroy);
    errno = 0;
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], &attributes, begin, &sums[i]);
    void *gave = NULL;
    for (int i = 0; i < 2; i++) pthread_join(threads[i], &gave);
    number("pthread_exit gives", gave == &sums[1]);
    number("a thread's storage", sums[0] * 100 + sums[1]);
    number("the main thread's storage", dynamic_model * 100 + global_model * 10 + initial_exec + initial_exec_other);
    number("errno of this thread", errno);
    number("destructors of keys", destroyed);
    number("atomic increments", total);
    pthread_once(&once, only_once), pthread_once(&once, only_once);
    number("pthread_once", times);
    pthread_mutexattr_t kind;
    pthread_mutexattr_init(&kind);
    pthread_mutexattr_settype(&kind, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_t mutex;
    pthread_mutex_init(&mutex, &kind);
    pthread_mutex_lock(&mutex);
    number("a recursive mutex", pthread_mutex_trylock(&mutex));
    number("sizeof pthread_mutex_t", sizeof mutex);
    number("sizeof pthread_attr_t", sizeof attributes);
    number("sizeof pthread_cond_t", sizeof(pthread_cond_t));
    number("sizeof sem_t", sizeof(sem_t));
    cpu_set_t processors;
    number("pthread_getaffinity_np", pthread_getaffinity_np(pthread_self(), sizeof processors, &processors));
}

static int is_cleaned;
static void clean(void *nothing) {
    (void)nothing;
    is_cleaned = 1;
}
static void *waits(void *started) {
    pthread_cleanup_push(clean, NULL);
    sem_post(started);
    for (;;) pthread_testcancel();
    pthread_cleanup_pop(0);
    return NULL;
}

static void cancellation(void) {
    pthread_t thread;
    sem_t started;
    sem_init(&started, 0, 0);
    pthread_create(&thread, NULL, waits, &started);
    sem_wait(&started);
    pthread_cancel(thread);
    void *gave = NULL;
    pthread_join(thread, &gave);
    number("a cancelled thread", gave == PTHREAD_CANCELED);
    number("its cleanup", is_cleaned);
}

#define ATOMIC(type)                                                                                                   \
    do {                                                                                                               \
        static _Atomic(type) value = 5;                                                                                \
        type expected = 6;                                                                                             \
        number("sizeof _Atomic " #type, sizeof value);                                                                 \
        number("alignof _Atomic " #type, _Alignof(_Atomic(type)));                                                     \
        number("fetch_add " #type, (long long)atomic_fetch_add(&value, 2));                                            \
        number("compare_exchange " #type, atomic_compare_exchange_strong(&value, &expected, 9));                       \
        number("compare_exchange found " #type, (long long)expected);                                                  \
        number("exchange " #type, (long long)atomic_exchange(&value, 3));                                              \
    } while (0)

struct pair {
    uint64_t a, b;
};

static void atomics(void) {
    ATOMIC(char); ATOMIC(short); ATOMIC(int); ATOMIC(long); ATOMIC(long long);
#ifdef __SIZEOF_INT128__
#ifdef STORES_PAIRS
    ATOMIC(__int128);
#endif
    number("atomics of 16 bytes are always without a lock", __atomic_always_lock_free(16, 0));
#endif
    number("atomics of 8 bytes are always without a lock", __atomic_always_lock_free(8, 0));
    number("ATOMIC_LLONG_LOCK_FREE", ATOMIC_LLONG_LOCK_FREE);
    static _Atomic(struct pair) pair;
    number("alignof an atomic pair", _Alignof(_Atomic(struct pair)));
#ifdef STORES_PAIRS
    atomic_store(&pair, ((struct pair){1, 2}));
    struct pair expected = {1, 2};
    number("compare_exchange of a pair", atomic_compare_exchange_strong(&pair, &expected, ((struct pair){3, 4})));
    number("a pair", (long long)atomic_load(&pair).b);
#endif
    static _Atomic(double) real_number = 1.5;
    real("atomic double", atomic_exchange(&real_number, 2.5));
    static int plain = 1;
    number("__sync_fetch_and_add", __sync_fetch_and_add(&plain, 1));
    number("__sync_val_compare_and_swap", __sync_val_compare_and_swap(&plain, 2, 8));
    static long long wide = 1;
    number("__sync_fetch_and_or", __sync_fetch_and_or(&wide, 6));
}

FACTS(threads) {
    storage();
    cancellation();
    atomics();
}
