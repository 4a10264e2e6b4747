#ifndef DRIVER_H
#define DRIVER_H

#include <stdbool.h>

/* The name that a program is started with, and its words; words[0] is not among what it is asked to do. */
typedef struct {
    const char *name;
    int count;
    char **words;
} command;

bool is(const char *word, const char *other);
bool starts(const char *word, const char *beginning);
char *joined(const char *folder, const char *name);
char *own_folder(void);
void become(char **words);

/* clang.c: clang with what makes it the container's own compiler. */
#define CONFIGURED 96
int configured(char **words, int most, bool afterwards);
char **clang_words(const command *given);
char **clang_tool_words(const command *given);

/* fallback.c: the container's own compiler; NULL where it has none of that name. */
char **gcc_words(const command *given);

/* choice.c */
bool asks(const command *given);
bool links_only(const command *given);
bool only_gcc_serves(const command *given);
bool gcc_may_serve(char *errors);

/* preprocess.c: what ccache compares. */
bool preprocesses(const command *given);
int preprocess_for_cache(const command *given);

/* serve.c: runs the compiler that serves a command, and notes which one that was. Returns the exit code. */
int serve(const command *given);

#endif
