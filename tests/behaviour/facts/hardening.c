/* Compiled with the flags of distributions: what they catch, and how the process ends. */
#define _GNU_SOURCE
#include "facts.h"

#include <alloca.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <wchar.h>

static volatile size_t nine = 9, three = 3, large = 1 << 20;
static volatile int most = INT_MAX;
static const char *volatile format = "%n%d";

/* How a child ends that calls the function; its last words are not shown. */
static void ends(const char *name, void (*function)(void)) {
    char how[64];
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        close(2);
        signal(SIGABRT, SIG_DFL), signal(SIGSEGV, SIG_DFL), signal(SIGTRAP, SIG_DFL), signal(SIGILL, SIG_DFL);
        function();
        _exit(7);
    }
    int status = 0;
    waitpid(child, &status, 0);
    snprintf(how, sizeof how, WIFSIGNALED(status) ? "signal %d" : "exit code %d", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    text(name, how);
}

static char target[8];
static struct {
    char first[4], second[4];
} pair;

static void copies(void) { memcpy(target, "0123456789", nine); }
static void copies_text(void) { strcpy(target, nine == 9 ? "0123456789" : ""); }
static void prints(void) { sprintf(target, "%0*d", (int)nine + 1, 5); }
static void prints_n(void) { snprintf(target, nine, "%s", "text"); }
static void joins(void) { strcpy(target, "01234"), strcat(target, nine == 9 ? "56789" : ""); }
static void sets(void) { memset(target, 0, nine); }
static void reads(void) { (void)!read(0, target, nine); }
static void past_a_member(void) { strcpy(pair.first, nine == 9 ? "01234" : ""); }
static void moves(void) { memmove(target + three, "012345", three * 2); }
static void writable_format(void) {
    int count;
    char space[4] = "%n";
    char made[32];
    memcpy(space, format, 2), space[2] = 0;
    snprintf(made, sizeof made, space, &count);
}
static void copies_wide(void) {
    wchar_t wide[4];
    wmemset(wide, L'a', nine);
    __asm__ volatile("" : : "r"(wide) : "memory");
}
__attribute__((noinline)) static void overflows(size_t count) {
    char local[16];
    for (volatile size_t i = 0; i < count; i++) ((volatile char *)local)[i] = 'x';
}
static void smashes(void) { overflows(nine * 12); }
static void fills(void) {
    volatile char *space = alloca(large);
    space[0] = 1, space[large - 1] = 1;
}
static void is_fine(void) { memcpy(target, "0123456789", three); }
static void reaches_unreachable(void) { abort(); }

FACTS(hardening) {
    number("_FORTIFY_SOURCE", _FORTIFY_SOURCE);
    number("__SSP_STRONG__",
#ifdef __SSP_STRONG__
           __SSP_STRONG__
#else
           0
#endif
    );
    ends("memcpy", copies), ends("strcpy", copies_text), ends("sprintf", prints), ends("snprintf", prints_n), ends("strcat", joins);
    ends("memset", sets), ends("read", reads), ends("strcpy past a member", past_a_member), ends("memmove", moves);
    ends("%n in a writable format", writable_format), ends("wmemset", copies_wide), ends("a smashed stack", smashes);
    ends("a large alloca", fills), ends("memcpy that fits", is_fine), ends("abort", reaches_unreachable);
}
