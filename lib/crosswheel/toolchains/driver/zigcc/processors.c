/* Processors: gcc's names become Zig's. */
#include "zigcc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* gcc's names of Arm extensions, where LLVM's differ. */
static const char *arm_feature(const char *name) {
    static const char *const renamed[][2] = {
        {"fp16", "fullfp16"}, {"simd", "neon"},   {"fp", "fp_armv8"}, {"rng", "rand"},
        {"memtag", "mte"},    {"profile", "spe"}, {"rdma", "rdm"},
    };
    for (size_t i = 0; i < sizeof renamed / sizeof *renamed; i++)
        if (same(name, renamed[i][0])) return renamed[i][1];
    return name;
}

static void underscore(char *text) {
    for (; *text; text++)
        if (*text == '-') *text = '_';
}

/* -march=armv8.2-a+crc+fp16 becomes Zig's -mcpu=generic+v8_2a+crc+fullfp16; -mcpu=cortex-a72+nocrypto likewise. */
static void translate_arm(list *out, const char *cpu) {
    char text[512] = "generic", *copy = checked(strdup(cpu)), *state = NULL;
    for (char *word = strtok_r(copy, "+", &state); word; word = strtok_r(NULL, "+", &state)) {
        char name[64], sign = '+';
        int major = 0, minor = 0;
        if (sscanf(word, "armv%2d.%2d", &major, &minor) >= 1) {
            if (major == 8 && minor == 0) continue;
            snprintf(name, sizeof name, minor ? "v%d_%da" : "v%da", major, minor);
        } else if (word == copy) {
            snprintf(text, sizeof text, "%s", word);
            underscore(text);
            continue;
        } else if (starts(word, "no")) {
            sign = '-';
            snprintf(name, sizeof name, "%s", arm_feature(word + 2));
        } else snprintf(name, sizeof name, "%s", arm_feature(word));
        underscore(name);
        size_t length = strlen(text);
        snprintf(text + length, sizeof text - length, "%c%s", sign, name);
    }
    push_joined(out, "-mcpu=", text);
    free(copy);
}

/* 32-bit Arm: the baseline, and what a source file that tests for NEON at run time is compiled with. */
static void push_arm_with(list *out, const char *extension) {
    static const char *const processors[][2] = {
        {"crypto-neon", "baseline+vfp4+fp_armv8+crypto"},
        {"neon-fp-armv8", "baseline+vfp4+fp_armv8"},
        {"neon-vfpv4", "baseline+vfp4"},
        {"neon", "baseline"},
        {"+simd", "baseline"},
    };
    for (size_t i = 0; i < sizeof processors / sizeof *processors; i++)
        if (strstr(extension, processors[i][0])) {
            push_joined(out, "-mcpu=", processors[i][1]);
            return;
        }
}

/* -mfpu=neon: Zig's front leaves out what it names. */
size_t translate_fpu(list *out, const char *flag) {
    if (!starts(conf.target, "arm")) return 0;
    push_arm_with(out, flag);
    return 1;
}

/* Where a wheel's baseline is not the caller's to choose, it is that of Linux distributions: armv7-a, rv64gc. */
void translate_cpu(list *out, const char *flag) {
    const char *cpu = strchr(flag, '=') + 1;
    bool march = starts(flag, "-march=");
    if (starts(conf.target, "aarch64")) {
        translate_arm(out, cpu);
        return;
    }
    if (starts(conf.target, "riscv64")) return;
    if (march && starts(conf.target, "arm")) {
        push_arm_with(out, cpu);
        return;
    }
    char text[512];
    bool power = starts(cpu, "power");
    snprintf(text, sizeof text, "%s%s", power ? "pwr" : "", power ? cpu + strlen("power") : cpu);
    underscore(text);
    push_joined(out, "-mcpu=", text);
}
