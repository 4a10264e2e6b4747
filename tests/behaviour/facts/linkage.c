/* What linker and loader do: weak and hidden symbols, constructors, IFUNC, symbol versions, dlopen, assembler. */
#define _GNU_SOURCE
#include "facts.h"

#include <dlfcn.h>
#include <link.h>
#include <math.h>
#include <string.h>

extern int nobody_has_this(void) __attribute__((weak));
int overridable(void) __attribute__((weak));
int overridable(void) { return 1; }
static int target_of_alias(void) { return 21; }
int by_alias(void) __attribute__((alias("target_of_alias")));
__attribute__((visibility("hidden"))) int hidden = 3;
int exported = 4;
int common_or_not;
int replaceable(void) { return 5; }
__attribute__((section("named_section"), used)) static const int in_section[] = {1, 2, 3};
extern const int __start_named_section[], __stop_named_section[];

static int order;
__attribute__((constructor(201))) static void second(void) { order = order * 10 + 2; }
__attribute__((constructor(101))) static void first(void) { order = order * 10 + 1; }
__attribute__((constructor)) static void last(void) { order = order * 10 + 3; }
static void at_the_end(void) { fputs("", stdout); }
__attribute__((destructor)) static void at_unload(void) { fputs("", stdout); }

static int slow(void) { return 1; }
static int fast(void) { return 2; }
static int (*resolve(void))(void) { return order < 0 ? slow : fast; }
int chosen(void) __attribute__((ifunc("resolve")));

#if defined(__x86_64__) || defined(__i386__)
__attribute__((target_clones("avx2", "default"))) int cloned(int a) { return a + 1; }
#else
int cloned(int a) { return a + 1; }
#endif

static int by_assembler(int value) {
    int result = value;
#if defined(__aarch64__)
    __asm__("add %w0, %w1, #1" : "=r"(result) : "r"(value));
#elif defined(__arm__)
    __asm__("add %0, %1, #1" : "=r"(result) : "r"(value));
#elif defined(__x86_64__) || defined(__i386__)
    __asm__("leal 1(%1), %0" : "=r"(result) : "r"(value));
#elif defined(__powerpc64__)
    __asm__("addi %0, %1, 1" : "=r"(result) : "b"(value));
#elif defined(__s390x__)
    __asm__("ahi %0, 1" : "+r"(result));
#elif defined(__riscv)
    __asm__("addi %0, %1, 1" : "=r"(result) : "r"(value));
#endif
    return result;
}

static int count_objects(struct dl_phdr_info *info, size_t size, void *found) {
    (void)size;
    if (strstr(info->dlpi_name, "linkage")) (*(int *)found)++;
    return 0;
}

static void symbols(void) {
    number("an undefined weak function", nobody_has_this != NULL);
    number("a weak function", overridable());
    number("an alias", by_alias());
    int five = replaceable();
    number("an exported function may be another one's", !__builtin_constant_p(five));
    number("length of a section", __stop_named_section - __start_named_section);
    number("a common symbol", common_or_not);
    number("constructors in order", order);
    number("IFUNC", chosen());
    number("target_clones", cloned(4));
    number("assembler", by_assembler(41));
    number("atexit", atexit(at_the_end));
}

static void loading(void) {
    Dl_info info;
    number("dladdr", dladdr((void *)by_alias, &info) != 0 && strstr(info.dli_fname, "linkage") != NULL);
    void *self = dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD);
    number("dlopen of itself", self != NULL);
    number("dlsym of an exported variable", dlsym(self, "exported") == &exported);
    number("dlsym of a hidden variable", dlsym(self, "hidden") != NULL);
    number("dlsym of PyInit", dlsym(self, "PyInit_linkage") != NULL);
    number("the exported variable is global", dlsym(RTLD_DEFAULT, "exported") != NULL);
    text("dlerror", dlsym(self, "nowhere") ? "" : strstr(dlerror(), "undefined symbol") ? "undefined symbol" : "other");
    void *libm = dlopen("libm.so.6", RTLD_NOW);
    double (*cosine)(double) = libm ? (double (*)(double))dlsym(libm, "cos") : NULL;
    number("cos of libm", cosine && cosine(0) == 1);
    number("dlopen of what is not there", dlopen("libnowhere.so.1", RTLD_NOW) != NULL);
    int objects = 0;
    dl_iterate_phdr(count_objects, &objects);
    number("dl_iterate_phdr", objects);
    dlclose(self);
}

FACTS(linkage) {
    symbols(), loading();
    number("return address", __builtin_return_address(0) != NULL);
}
