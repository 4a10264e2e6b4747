#ifndef ZIGCC_H
#define ZIGCC_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* ---- words.c ---- */

typedef struct {
    char **items;
    size_t count, room;
} list;

void *checked(void *memory);
void push(list *to, const char *text);
void push_all(list *to, const char *const *words);
void push_joined(list *to, const char *head, const char *tail);
void split(list *to, const char *words);
void expand(list *out, const char *word, int depth);
void explain(const char *word, const char *why);
bool starts(const char *text, const char *prefix);
bool same(const char *a, const char *b);
bool starts_any(const char *text, const char *const *prefixes);
bool among(const char *text, const char *const *words);
bool ends_among(const char *word, const char *const *endings);

/* ---- conf.c ---- */

struct configuration {
    const char *bin, *zig, *library, *cache, *objects, *ccache, *folder, *target, *build_target, *multiarch, *root,
        *environment, *over, *file, *linked, *runtime;
    bool debug;
    list hidden, mapped_from, mapped_to, includes, libs, settings, clang, words;
};
extern struct configuration conf;

void read_conf(void);
bool has_gcc(void);

/* ---- folders.c ---- */

bool under(const char *path, const char *folder);
const char *folder_for_target(const char *asked);
const char *laid_over(const char *asked);
size_t translate_folder(list *out, const char *word, const char *next);

/* ---- linker.c, processors.c, flags.c ---- */

extern list for_lld;

size_t translate_linker_words(list *out, const list *in, size_t at);
size_t translate_library_file(list *out, const list *in, const char *word);
void translate_cpu(list *out, const char *flag);
size_t translate_fpu(list *out, const char *flag);
bool is_debug_flag(const char *flag);
bool is_cxx_source(const char *word);
bool is_source(const char *word);
bool wants_cxx(const list *in);
bool links(const list *in);
bool takes_value(const char *word);
bool links_objects(const list *in);
void translate(list *out, const list *in);

/* ---- run.c ---- */

int print(const list *command);
int run(const list *command);
int wait_for(pid_t child);
int run_and_wait(const list *command, bool quiet);
int run_tool(const char *tool, int argc, char **argv);
int run_linker(int argc, char **argv);

/* ---- names.c, bitcode.c, link.c, probes.c, stages.c, objects.c, constants.c, build.c, pragmas.c, lacking.c ---- */

list as_compiler(const char *name, const list *in);
list keeping_of(const list *command);
list what_zig_runs(const list *command, const char *variable, const char *tool, list *rest);
int link_by_lld(const list *command);
int answer(bool cxx, const list *in);
bool needs_clang(const list *in);
int show(const list *command);
int run_clang(const list *command);
int compile_object(list *command, const list *in);
bool has_assembler(const list *in);
int assemble(const list *command, const list *in);
bool has_target_pragma(const char *source);
int compile_with_target_pragmas(const list *command, const char *source);
int compile_for_build(list *command, const list *in);
void note_what_lacks(void);

#endif
