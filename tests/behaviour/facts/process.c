/* The C library and the process: errno, locale, signals, jumps, the stack, and what the kernel tells. */
#define _GNU_SOURCE
#include "facts.h"

#include <alloca.h>
#include <errno.h>
#include <inttypes.h>
#include <iconv.h>
#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <regex.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

static void errors(void) {
    errno = 0;
    strtol("99999999999999999999", NULL, 10);
    number("errno of strtol is ERANGE", errno == ERANGE);
    errno = 0;
    volatile double minus = -1, result = sqrt(minus);
    number("errno of sqrt(-1) is EDOM", errno == EDOM);
    errno = 0;
    result = exp(1e6 * -minus);
    number("errno of exp(1e6) is ERANGE", errno == ERANGE);
    errno = 0;
    volatile float small = 0, one = logf(small);
    number("errno of logf(0) is ERANGE", errno == ERANGE);
    (void)result, (void)one;
    char space[128];
    strerror_r(ENOENT, space, sizeof space);
    text("strerror_r", strerror_r(ENOENT, space, sizeof space));
    errno = 0;
    number("close(-1)", close(-1));
    number("errno of close is EBADF", errno == EBADF);
    number("MB_CUR_MAX", (long long)MB_CUR_MAX);
}

static void locales(void) {
    char *old = strdup(setlocale(LC_ALL, NULL));
    number("there is a locale C.UTF-8", setlocale(LC_ALL, "C.UTF-8") != NULL);
    text("decimal point", localeconv()->decimal_point);
    text("codeset", nl_langinfo(CODESET));
    real("strtod", strtod("1.5x", NULL));
    real("strtod of hexadecimal", strtod("0x1.8p3", NULL));
    wchar_t wide[8];
    number("mbstowcs", (long long)mbstowcs(wide, "\xc3\xa9\xe2\x82\xac", 8));
    number("second wide character", (long long)wide[1]);
    number("wcwidth", wcwidth(L'a'));
    number("towupper", (long long)towupper(0xe9));
    number("strcoll", strcoll("a", "B") > 0);
    iconv_t conversion = iconv_open("UTF-16LE", "UTF-8");
    char in[] = "\xe2\x82\xac", out[8], *from = in, *to = out;
    size_t left = 3, room = sizeof out;
    number("iconv", conversion != (iconv_t)-1 && iconv(conversion, &from, &left, &to, &room) == 0 && room == 6);
    if (conversion != (iconv_t)-1) iconv_close(conversion);
    setlocale(LC_ALL, old);
    free(old);
}

static void printing(void) {
    char digits[128];
    snprintf(digits, sizeof digits, "%zu %zd %td %jd %hhd %lld", sizeof digits, (ssize_t)-1, (ptrdiff_t)-2, (intmax_t)-3,
             (signed char)-4, -5LL);
    text("printf of sizes", digits);
    snprintf(digits, sizeof digits, "%" PRIu64 " %" PRIdPTR " %" PRIdFAST16, UINT64_MAX, (intptr_t)-1, (int_fast16_t)-2);
    text("printf by inttypes.h", digits);
    snprintf(digits, sizeof digits, "%2$s %1$c %3$*4$d", 'c', "text", 7, 3);
    text("printf by position", digits);
    snprintf(digits, sizeof digits, "%g %e %a %.17g %ls", 1e-5, 12345.678, 0.1, 0.1, L"wide");
    text("printf of double", digits);
    number("snprintf too long", snprintf(digits, 4, "%s", "abcdef"));
    int a = 0, count = sscanf("12 ab 0x1f", "%d %*s %i", &a, &a);
    number("sscanf", count * 100 + a);
    char *made = NULL;
    number("asprintf", asprintf(&made, "%d", 1234));
    free(made);
    errno = ENOENT;
    snprintf(digits, sizeof digits, "%m");
    text("printf of errno", digits);
    struct tm day = {.tm_year = 138, .tm_mon = 0, .tm_mday = 20, .tm_hour = 3};
    setenv("TZ", "UTC", 1);
    tzset();
    number("timegm after 2038", timegm(&day) > 0x7fffffff || (sizeof(time_t) == 4 && timegm(&day) == -1));
    strftime(digits, sizeof digits, "%F %j %G-%V", &day);
    text("strftime", digits);
}

static jmp_buf place;
static sigjmp_buf safe_place;
static volatile sig_atomic_t caught, on_alternate;

__attribute__((noinline)) static void deep(int depth) {
    volatile char space[64] = {0};
    (void)space;
    if (depth) deep(depth - 1);
    else longjmp(place, 7);
}

static void on_signal(int signal, siginfo_t *info, void *context) {
    (void)context;
    char here;
    stack_t stack;
    sigaltstack(NULL, &stack);
    on_alternate = (stack.ss_flags & SS_ONSTACK) != 0 && &here > (char *)stack.ss_sp;
    caught = signal * 100 + (info->si_code == SEGV_MAPERR || info->si_code == SEGV_ACCERR);
    if (signal == SIGSEGV) siglongjmp(safe_place, 1);
}

static void jumps_and_signals(void) {
    volatile int kept = 1;
    int came = setjmp(place);
    if (!came) {
        kept = 2;
        deep(3);
    }
    number("longjmp gives", came);
    number("a volatile after longjmp", kept);

    static char space[65536];
    stack_t stack = {.ss_sp = space, .ss_size = sizeof space}, old_stack;
    struct sigaction act = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK}, old, old_user;
    sigaltstack(&stack, &old_stack);
    sigaction(SIGSEGV, &act, &old);
    sigaction(SIGUSR1, &act, &old_user);
    raise(SIGUSR1);
    number("signal handler", caught);
    number("on the alternate stack", on_alternate);
    char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!sigsetjmp(safe_place, 1)) *(volatile char *)page = 1;
    number("handler of a fault", caught);
    munmap(page, 4096);
    sigaction(SIGSEGV, &old, NULL);
    sigaction(SIGUSR1, &old_user, NULL);
    sigaltstack(&old_stack, NULL);
}

__attribute__((noinline)) static int sum_of_arrays(int count) {
    int sum = 0;
    char *space = alloca((size_t)count);
    memset(space, 1, (size_t)count);
    int numbers[count][2];
    for (int i = 0; i < count; i++) numbers[i][0] = space[i], numbers[i][1] = 1;
    for (int i = 0; i < count; i++) sum += numbers[i][0] + numbers[i][1];
    return sum + (int)sizeof numbers;
}

static int by_value(const void *a, const void *b) { return *(const int *)a - *(const int *)b; }

__attribute__((noinline)) static int variadic(const char *types, ...) {
    va_list words, again;
    va_start(words, types);
    va_copy(again, words);
    int sum = va_arg(words, int) + (int)va_arg(words, double) + (int)va_arg(words, long long);
    sum += (int)va_arg(words, long double) + *va_arg(words, char *);
    for (int i = 0; i < 12; i++) sum += (int)va_arg(words, double);
    sum += va_arg(again, int);
    va_end(words);
    va_end(again);
    return sum;
}

static __thread char large_storage[40000];

static void stack(void) {
    _Alignas(64) volatile char aligned[64];
    number("a local of alignment 64", ((uintptr_t)aligned % 64) == 0);
    max_align_t local;
    number("a local of the largest alignment", ((uintptr_t)&local % _Alignof(max_align_t)) == 0);
    number("malloc has the largest alignment", ((uintptr_t)malloc(1) % _Alignof(max_align_t)) == 0);
    large_storage[39999] = 1;
    number("large storage of a thread", large_storage[39999]);
    number("arrays of variable length", sum_of_arrays(9));
    number("variadic", variadic("", 1, 2.0, 3LL, 4.0L, "A", 1., 2., 3., 4., 5., 6., 7., 8., 9., 10., 11., 12.));
    int numbers[] = {3, 1, 2};
    qsort(numbers, 3, sizeof *numbers, by_value);
    number("qsort", numbers[0] * 100 + numbers[1] * 10 + numbers[2]);
}

static void system_says(void) {
    number("AT_PAGESZ", (long long)getauxval(AT_PAGESZ) == sysconf(_SC_PAGESIZE));
    number("AT_HWCAP", getauxval(AT_HWCAP) != 0);
    regex_t pattern;
    number("regcomp", regcomp(&pattern, "^[[:alpha:]]+([0-9]{2})$", REG_EXTENDED));
    regmatch_t match[2];
    number("regexec", regexec(&pattern, "abc42", 2, match, 0));
    number("regexec found", match[1].rm_so);
    regfree(&pattern);
    number("RAND_MAX", RAND_MAX);
    srandom(7);
    number("random", random());
    number("rand_r", rand_r(&(unsigned){7}));
    number("PATH_MAX", PATH_MAX);
    number("BUFSIZ", BUFSIZ);
}

FACTS(process) {
    errors(), locales(), printing(), jumps_and_signals(), stack(), system_says();
}
