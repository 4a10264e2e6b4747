/* Folders that a command names: this machine's are replaced by the target's, or left out. */
#include "zigcc.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool under(const char *path, const char *folder) {
    size_t length = strlen(folder);
    return starts(path, folder) && (path[length] == '/' || path[length] == 0);
}

/* A folder of headers where clang looks anyway. Named once more, it would come before those of libstdc++, whose
 * #include_next then finds nothing behind it; gcc takes no notice of -I with such a folder. */
static bool is_standard(const char *asked) {
    static const char *const folders[] = {"/usr/include", "/usr/local/include", "/include", NULL};
    char name[PATH_MAX];
    size_t length = strlen(asked);
    while (length > 1 && asked[length - 1] == '/') length--;
    snprintf(name, sizeof name, "%.*s", (int)length, asked);
    if (among(name, folders)) return true;
    return conf.multiarch && starts(name, "/usr/include/") && same(name + strlen("/usr/include/"), conf.multiarch);
}

/* The image's folder of the same name, or NULL. */
static const char *rooted(const char *asked) {
    static char path[2 * PATH_MAX];
    if (!conf.root || is_standard(asked)) return NULL;
    snprintf(path, sizeof path, "%s%s", conf.root, asked);
    return access(path, F_OK) == 0 ? path : NULL;
}

/* pkg-config puts the root in front of every folder, also of those of the build environment: of these it is taken. */
static const char *in_root(const char *asked) {
    const char *rest = asked + strlen(conf.root);
    if (is_standard(rest)) return NULL;
    return access(asked, F_OK) != 0 && *rest && access(rest, F_OK) == 0 ? rest : asked;
}

/* As `folder_for_target`, by this one spelling of the folder. */
static const char *judge_folder(const char *asked) {
    static char buffer[2 * PATH_MAX];
    for (size_t i = 0; i < conf.mapped_from.count; i++)
        if (under(asked, conf.mapped_from.items[i])) {
            const char *rest = asked + strlen(conf.mapped_from.items[i]);
            snprintf(buffer, sizeof buffer, "%s%s", conf.mapped_to.items[i], rest);
            return buffer;
        }
    /* What is under a folder of the target's own may be under a hidden one too: a sysroot below /usr, say. */
    for (size_t i = 0; i < conf.includes.count; i++)
        if (under(asked, conf.includes.items[i])) return asked;
    for (size_t i = 0; i < conf.libs.count; i++)
        if (under(asked, conf.libs.items[i])) return asked;
    if (conf.root && under(asked, conf.root)) return in_root(asked);
    for (size_t i = 0; i < conf.hidden.count; i++)
        if (under(asked, conf.hidden.items[i])) return rooted(asked);
    return asked;
}

/* The folder to use for one that was asked for: the target's in its place, the same, or NULL for none. */
const char *folder_for_target(const char *asked) {
    static char real[PATH_MAX];
    const char *judged = judge_folder(asked);
    if (judged != asked || !realpath(asked, real)) return judged;
    /* /usr//include, /opt/x/../../usr/include, or a link to it, as old virtual environments have. */
    judged = judge_folder(real);
    return judged == real ? asked : judged;
}

/* What the target has in the place of a file or folder of the build environment, or NULL: shared libraries of build
 * requirements. A build may have made links to them there, such as libarrow.so. */
const char *laid_over(const char *asked) {
    static char real[PATH_MAX], path[2 * PATH_MAX];
    if (!conf.environment || !realpath(asked, real) || !under(real, conf.environment)) return NULL;
    snprintf(path, sizeof path, "%s%s", conf.over, real + strlen(conf.environment));
    return access(path, F_OK) == 0 ? path : NULL;
}

/* -I dir, -Idir, -isystem dir, -L dir: dropped, replaced or kept. Gives how many words it took, 0 if it is none. */
size_t translate_folder(list *out, const char *word, const char *next) {
    static const char *const flags[] = {"-isystem", "-idirafter", "-iquote", "-I", "-L", NULL};
    static const char *const roots[] = {"-isysroot", "--sysroot", NULL};
    for (const char *const *root = roots; *root; root++)
        if (starts(word, *root)) return word[strlen(*root)] || !next ? 1 : 2; /* Zig brings its own libc */
    for (const char *const *flag = flags; *flag; flag++) {
        if (!starts(word, *flag)) continue;
        bool joined = word[strlen(*flag)];
        if (!joined && !next) return 0;
        const char *asked = joined ? word + strlen(*flag) : next;
        const char *over = same(*flag, "-L") ? laid_over(asked) : NULL;
        if (over) push_joined(out, "-L", over);
        const char *folder = folder_for_target(asked);
        if (folder && joined) push_joined(out, *flag, folder);
        else if (folder) {
            push(out, *flag);
            push(out, folder);
        }
        return joined ? 1 : 2;
    }
    return 0;
}
