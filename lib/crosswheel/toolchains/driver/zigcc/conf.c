/* The configuration: zigcc.conf, beside the folder that this program lies in. */
#include "zigcc.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct configuration conf;

void read_conf(void) {
    char path[PATH_MAX + 16], line[3 * PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);
    if (length < 0) {
        perror("zigcc: /proc/self/exe");
        exit(1);
    }
    path[length] = 0;
    conf.bin = checked(strdup(dirname(path)));
    char *folder = dirname(path);
    char name[PATH_MAX + 32];
    snprintf(name, sizeof name, "%s/zigcc.conf", folder);
    conf.file = checked(strdup(name));
    FILE *file = fopen(name, "r");
    if (!file) {
        fprintf(stderr, "zigcc: %s: %s\n", name, strerror(errno));
        exit(1);
    }
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = 0;
        char *value = strchr(line, ' ');
        if (!value) continue;
        *value++ = 0;
        if (same(line, "zig")) conf.zig = checked(strdup(value));
        else if (same(line, "library")) conf.library = checked(strdup(value));
        else if (same(line, "cache")) conf.cache = checked(strdup(value));
        else if (same(line, "objects")) conf.objects = checked(strdup(value));
        else if (same(line, "linked")) conf.linked = checked(strdup(value));
        else if (same(line, "ccache")) conf.ccache = checked(strdup(value));
        else if (same(line, "folder")) conf.folder = checked(strdup(value));
        else if (same(line, "target")) conf.target = checked(strdup(value));
        else if (same(line, "word")) push(&conf.words, value);
        else if (same(line, "build-target")) conf.build_target = checked(strdup(value));
        else if (same(line, "runtime")) conf.runtime = checked(strdup(value));
        else if (same(line, "multiarch")) conf.multiarch = checked(strdup(value));
        else if (same(line, "root")) conf.root = checked(strdup(value));
        else if (same(line, "debug")) conf.debug = same(value, "yes");
        else if (same(line, "hide")) push(&conf.hidden, value);
        else if (same(line, "setting")) push(&conf.settings, value);
        else if (same(line, "include")) push(&conf.includes, value);
        else if (same(line, "lib")) push(&conf.libs, value);
        else if (same(line, "clang")) push(&conf.clang, value);
        else if (same(line, "over")) {
            char *over = strchr(value, ' ');
            if (!over) continue;
            *over++ = 0;
            if (access(over, F_OK) != 0) continue;
            conf.environment = checked(strdup(value));
            conf.over = checked(strdup(over));
        } else if (same(line, "map")) {
            char *new = strchr(value, ' ');
            if (!new) continue;
            *new++ = 0;
            push(&conf.mapped_from, value);
            push(&conf.mapped_to, new);
        }
    }
    fclose(file);
    if (!conf.zig || !conf.cache || !conf.target || !conf.build_target) {
        fprintf(stderr, "zigcc: %s lacks zig, cache, target or build-target\n", name);
        exit(1);
    }
}

/* Whether code is linked against the gcc of an image, with its libstdc++, libgcc and libc, and not with Zig's own. */
bool has_gcc(void) { return conf.clang.count > 0; }
