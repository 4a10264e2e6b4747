/* Objects of assembler code, whose constants stay in the order and number in which they were written.
 *
 * A section may say that it has constants of one size, of which the linker keeps equal ones once (SHF_MERGE). lld also
 * sorts them by a hash, and leaves out those that nothing names. A compiler names each; code by hand may read two by
 * one name, as ISA-L's table of factors for Adler-32: GNU ld keeps such neighbours together, and lld does without the
 * flag. With an image lld is told so by -O0 (run.c), for all objects; Zig's front gives it an -O of its own, which only
 * a link past Zig can change (link.c), as one of assembler sources is.
 */
#include "zigcc.h"

#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_assembler(const char *language) { return starts(language, "assembler"); }

bool has_assembler(const list *in) {
    static const char *const endings[] = {".s", ".S", NULL};
    bool assembler = false;
    for (size_t i = 0; i < in->count; i++) {
        const char *word = in->items[i];
        const char *value = takes_value(word) && i + 1 < in->count ? in->items[++i] : NULL;
        if (same(word, "-x")) assembler = assembler || (value && is_assembler(value));
        else if (starts(word, "-x")) assembler = assembler || is_assembler(word + strlen("-x"));
        else if (word[0] != '-') assembler = assembler || ends_among(word, endings);
    }
    return assembler;
}

/* The object that is asked for: by -o, else the source's name with another ending, in the working folder. */
static char *object_of(const list *in) {
    const char *source = NULL;
    for (size_t i = 0; i < in->count; i++) {
        const char *word = in->items[i];
        const char *value = takes_value(word) && i + 1 < in->count ? in->items[++i] : NULL;
        if (same(word, "-o") && value) return checked(strdup(value));
        if (starts(word, "-o") && word[2]) return checked(strdup(word + 2));
        if (is_source(word)) source = word;
    }
    if (!source) return NULL;
    const char *slash = strrchr(source, '/');
    char *path = checked(strdup(slash ? slash + 1 : source));
    char *dot = strrchr(path, '.');
    if (dot) memcpy(dot, ".o", 2), dot[2] = 0;
    return path;
}

/* ---- ELF of either class and byte order -------------------------------------------------------------------------- */

/* Of a field: where it begins in its structure, and its bytes. */
typedef struct {
    size_t at, size;
} field;

#define FIELD(structure, name) {offsetof(structure, name), sizeof(((structure *)NULL)->name)}

static const struct layout {
    field sections, count, room, flags, size, one;
} layouts[] = {
    {FIELD(Elf32_Ehdr, e_shoff), FIELD(Elf32_Ehdr, e_shnum), FIELD(Elf32_Ehdr, e_shentsize),
     FIELD(Elf32_Shdr, sh_flags), FIELD(Elf32_Shdr, sh_size), FIELD(Elf32_Shdr, sh_entsize)},
    {FIELD(Elf64_Ehdr, e_shoff), FIELD(Elf64_Ehdr, e_shnum), FIELD(Elf64_Ehdr, e_shentsize),
     FIELD(Elf64_Shdr, sh_flags), FIELD(Elf64_Shdr, sh_size), FIELD(Elf64_Shdr, sh_entsize)},
};

static uint64_t number(const unsigned char *from, field what, bool big) {
    uint64_t value = 0;
    for (size_t i = 0; i < what.size; i++) value = value << 8 | from[what.at + (big ? i : what.size - 1 - i)];
    return value;
}

static bool has_several(const unsigned char *section, const struct layout *fields, bool big) {
    uint64_t flags = number(section, fields->flags, big), one = number(section, fields->one, big);
    return flags & SHF_MERGE && !(flags & SHF_STRINGS) && one && number(section, fields->size, big) > one;
}

static void clear_merge(FILE *file) {
    unsigned char header[sizeof(Elf64_Ehdr)] = {0}, section[sizeof(Elf64_Shdr)];
    if (fread(header, 1, sizeof header, file) < sizeof(Elf32_Ehdr) || memcmp(header, ELFMAG, SELFMAG) != 0) return;
    const struct layout *fields = &layouts[header[EI_CLASS] == ELFCLASS64];
    bool big = header[EI_DATA] == ELFDATA2MSB;
    uint64_t first = number(header, fields->sections, big), room = number(header, fields->room, big);
    if (!room || room > sizeof section) return;
    for (uint64_t i = 0; i < number(header, fields->count, big); i++) {
        long at = (long)(first + i * room), flag = (long)(fields->flags.at + (big ? fields->flags.size - 1 : 0));
        if (fseek(file, at, SEEK_SET) || fread(section, 1, room, file) < room) return;
        if (!has_several(section, fields, big)) continue;
        if (fseek(file, at + flag, SEEK_SET) || fputc(section[flag] & ~SHF_MERGE, file) == EOF) return;
    }
}

/* By clang itself: Zig's front has lld write the object, which sorts the constants already. */
int assemble(const list *command, const list *in) {
    fflush(NULL);
    pid_t child = fork();
    if (child < 0) {
        perror("zigcc: fork");
        exit(1);
    }
    if (!child) _exit(run_clang(command));
    int code = wait_for(child);
    char *path = code ? NULL : object_of(in);
    FILE *file = path ? fopen(path, "r+b") : NULL;
    if (file) clear_merge(file);
    if (file && fclose(file)) {
        perror(path);
        code = 1;
    }
    free(path);
    return code;
}
