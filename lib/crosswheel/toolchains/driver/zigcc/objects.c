/* One compile, out of the cache if it was done before. */
#include "zigcc.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One source that becomes one object, and the dependency file that was asked for with it.
 *
 * Zig's cache has three peculiarities (0.17.1). It compiles anew whatever asks for a dependency file: `words` are
 * without it, and we write it, from what the compile that filled the cache had included. That clang tells by
 * CC_PRINT_HEADERS_FILE; where it has told nothing it was not called, and the cache had the object. It compiles anew
 * where the source has another inode or time, whatever is in it, but judges headers by what is in them: the source is
 * included by an empty file that stays. And it knows relative folders by their names alone: that file's name is made
 * from the folder too. */
/* False where it is anything else, or is asked for in another way. */
bool read_unit(unit *one, const list *in) {
    static const char *const others[] = {"-E", "-S", "-M", "-MM", "-MG", "-fsyntax-only", NULL};
    static const char *const others_still[] = {".i", ".ii", ".s", ".m", NULL};
    bool compiles = false, depends = false;
    for (size_t i = 0; i < in->count; i++) {
        const char *word = in->items[i], *next = i + 1 < in->count ? in->items[i + 1] : NULL;
        if (among(word, others)) return false;
        if (same(word, "-MD") || same(word, "-MMD")) { depends = true; continue; }
        if (same(word, "-MP")) continue;
        if (same(word, "-MF") && next && !one->depfile) { one->depfile = next; i++; continue; }
        if ((same(word, "-MT") || same(word, "-MQ")) && next && !one->target) { one->target = next; i++; continue; }
        if (starts(word, "-MF") || starts(word, "-MT") || starts(word, "-MQ") || starts(word, "-Wp,-M")) return false;
        push(&one->words, word);
        if (same(word, "-c")) compiles = true;
        if (same(word, "-o") && next) { one->object = next; push(&one->words, next); i++; continue; }
        if (!is_source(word)) continue;
        if (one->source || ends_among(word, others_still)) return false;
        one->source = word;
    }
    if (!compiles || !one->source || !one->object || (depends && !one->depfile)) return false;
    if (!depends) one->depfile = NULL;
    if (!one->target) one->target = one->object;
    return true;
}

static uint64_t mix(uint64_t sum, const char *text) { /* FNV-1a, of the end of the text too */
    do sum = (sum ^ (unsigned char)*text) * 1099511628211u; while (*text++);
    return sum;
}

/* A name for the compile, the same in every run: of its folder, its source's path, and the command but for the output. */
static uint64_t name_of(const list *command, const char *source) {
    char folder[PATH_MAX];
    uint64_t sum = mix(14695981039346656037u, getcwd(folder, sizeof folder) ? folder : "");
    sum = mix(sum, source);
    for (size_t i = 0; i < command->count; i++) {
        if (same(command->items[i], "-o")) i++;
        else sum = mix(sum, command->items[i]);
    }
    return sum;
}

/* What configure scripts, Meson and CMake compile to see whether it can be; CMake has some of it among its own files. */
static bool is_check(const char *path) {
    static const char *const signs[] = {
        "/conftest", "/_configtest", "/testfile.", "/meson-private/", "/CMakeScratch/", "/CMakeTmp/", "/CompilerId", NULL,
    };
    for (const char *const *sign = signs; *sign; sign++) if (strstr(path, *sign)) return true;
    return false;
}

static void count(const char *source, bool hit) {
    char folder[PATH_MAX];
    bool checks = is_check(source) || (getcwd(folder, sizeof folder) && is_check(folder));
    int file = conf.compiles && !checks ? open(conf.compiles, O_WRONLY | O_APPEND | O_CREAT, 0666) : -1;
    if (file < 0) return;
    if (write(file, hit ? "h" : "m", 1) != 1) perror("zigcc: counting a compile");
    close(file);
}

/* What clang has told becomes `kept`, without the headers that are Zig's own. */
static void keep_headers(const char *told, const char *kept) {
    char line[2 * PATH_MAX], own[PATH_MAX], partial[2 * PATH_MAX];
    snprintf(own, sizeof own, "%s", conf.zig);
    dirname(own);
    snprintf(partial, sizeof partial, "%s.kept", told);
    FILE *from = fopen(told, "r"), *to = from ? fopen(partial, "w") : NULL;
    while (to && fgets(line, sizeof line, from))
        if (!starts(line, own) && !(conf.library && starts(line, conf.library))) fputs(line, to);
    if (from) fclose(from);
    if (to && fclose(to) == 0) rename(partial, kept);
    unlink(told);
}

static void write_name(FILE *to, const char *name) {
    for (; *name && *name != '\n'; name++) {
        if (strchr(" \\#", *name)) fputc('\\', to);
        if (*name == '$') fputc('$', to);
        fputc(*name, to);
    }
}

static void write_depfile(const unit *one, const char *headers) {
    char line[2 * PATH_MAX];
    FILE *to = fopen(one->depfile, "w"), *from = fopen(headers, "r");
    if (!to) { fprintf(stderr, "zigcc: %s: %s\n", one->depfile, strerror(errno)); exit(1); }
    write_name(to, one->target);
    fputs(": ", to);
    write_name(to, one->source);
    while (from && fgets(line, sizeof line, from)) { fputs(" \\\n ", to); write_name(to, line); }
    fputc('\n', to);
    if (from) fclose(from);
    fclose(to);
}

/* The command with the source included by `stays`. Its ending says which language. */
static list include_source(const list *command, const unit *one, const char *stays) {
    list included = {0};
    for (size_t i = 0; i < command->count; i++) {
        bool is_it = same(command->items[i], one->source);
        if (is_it) push(&included, "-include");
        push(&included, command->items[i]);
        if (is_it) push(&included, stays);
    }
    int file = open(stays, O_WRONLY | O_CREAT, 0666);
    if (file < 0) { fprintf(stderr, "zigcc: %s: %s\n", stays, strerror(errno)); exit(1); }
    close(file);
    return included;
}

int compile_unit(const unit *one, const list *command) {
    char source[PATH_MAX], kept[PATH_MAX + 64], stays[PATH_MAX + 128], told[PATH_MAX + 96];
    if (getenv("ZIGCC_PRINT") || !realpath(one->source, source)) return run(command); /* Zig has the words for it */
    snprintf(kept, sizeof kept, "%s/headers/%016llx", conf.objects, (unsigned long long)name_of(command, source));
    snprintf(stays, sizeof stays, "%s%s", kept, is_cxx_source(one->source) ? ".cpp" : strrchr(one->source, '.'));
    snprintf(told, sizeof told, "%s.%ld", kept, (long)getpid());
    setenv("CC_PRINT_HEADERS", "1", 1);
    setenv("CC_PRINT_HEADERS_FILE", told, 1);
    list included = conf.debug ? *command : include_source(command, one, stays);
    int code = run_and_wait(&included, false);
    bool hit = access(told, F_OK) != 0;
    if (code) { unlink(told); return code; }
    if (!hit) keep_headers(told, kept);
    if (one->depfile) write_depfile(one, kept);
    count(source, hit);
    return 0;
}
