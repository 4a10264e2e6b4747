/* Lists of words, and what is asked of one word. */
#include "zigcc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *checked(void *memory) {
    if (!memory) {
        fputs("zigcc: out of memory\n", stderr);
        exit(1);
    }
    return memory;
}

void push(list *to, const char *text) {
    if (to->count + 1 >= to->room) {
        to->room = to->room ? to->room * 2 : 64;
        to->items = checked(realloc(to->items, to->room * sizeof *to->items));
    }
    to->items[to->count++] = checked(strdup(text));
    to->items[to->count] = NULL;
}

void push_all(list *to, const char *const *words) {
    for (; *words; words++) push(to, *words);
}

void push_joined(list *to, const char *head, const char *tail) {
    char *text = checked(malloc(strlen(head) + strlen(tail) + 1));
    push(to, strcat(strcpy(text, head), tail));
    free(text);
}

bool starts(const char *text, const char *prefix) { return strncmp(text, prefix, strlen(prefix)) == 0; }
bool same(const char *a, const char *b) { return strcmp(a, b) == 0; }

bool starts_any(const char *text, const char *const *prefixes) {
    for (; *prefixes; prefixes++)
        if (starts(text, *prefixes)) return true;
    return false;
}

bool among(const char *text, const char *const *words) {
    for (; *words; words++)
        if (same(text, *words)) return true;
    return false;
}

/* For those who want to know why a word is not handed on. */
void explain(const char *word, const char *why) {
    if (getenv("ZIGCC_WHY")) fprintf(stderr, "zigcc: %s is dropped: %s\n", word, why);
}

void split(list *to, const char *words) {
    char *copy = checked(strdup(words)), *state = NULL;
    for (char *word = strtok_r(copy, ",", &state); word; word = strtok_r(NULL, ",", &state)) push(to, word);
    free(copy);
}

bool ends_among(const char *word, const char *const *endings) {
    const char *dot = strrchr(word, '.');
    return word[0] != '-' && dot && among(dot, endings);
}

/* @file: the words in it, quoted as gcc documents it; files may name files, though not for ever. */
void expand(list *out, const char *word, int depth) {
    FILE *file = word[0] == '@' ? fopen(word + 1, "r") : NULL;
    if (!file) {
        push(out, word);
        return;
    }
    if (depth > 20) {
        fprintf(stderr, "zigcc: %s: files name each other for ever\n", word);
        exit(1);
    }
    char *text = NULL;
    size_t room = 0, length = 0;
    bool inside = false;
    for (int c = fgetc(file), quote = 0;; c = fgetc(file)) {
        if (length + 2 > room) text = checked(realloc(text, room = room ? room * 2 : 256));
        if (c == EOF || (!quote && (c == ' ' || c == '\t' || c == '\n' || c == '\r'))) {
            if (inside) {
                text[length] = 0;
                expand(out, text, depth + 1);
            }
            length = 0;
            inside = false;
            if (c == EOF) break;
            continue;
        }
        inside = true;
        if (c == '\\') { /* stands for the character after it, in quotes of either kind too */
            int next = fgetc(file);
            if (next != EOF) text[length++] = (char)next;
        } else if (quote ? c == quote : (c == '"' || c == '\'')) quote = quote ? 0 : c;
        else text[length++] = (char)c;
    }
    free(text);
    fclose(file);
}
