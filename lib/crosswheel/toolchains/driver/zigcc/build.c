/* The compiler for the machine that this runs on. */
#include "zigcc.h"

#include <stdlib.h>

/* For the machine that this runs on: generators, and what Meson tries its compiler with. That needs nothing of libc++,
 * which Zig would build for it, a minute on every machine: it is linked only where it does not go without. */
int compile_for_build(list *command, const list *in) {
    push(command, "-g0");
    for (size_t i = 0; i < in->count; i++)
        if (!is_debug_flag(in->items[i])) push(command, in->items[i]);
    if (!links(in) || !in->count) return run(command);
    push(command, "-s"); /* as the runtimes are that the driver was compiled with */
    if (same(command->items[1], "c++") && !getenv("ZIGCC_PRINT")) {
        list without = {0};
        for (size_t i = 0; i < command->count; i++) push(&without, command->items[i]);
        push(&without, "-nostdlib++");
        if (run_and_wait(&without, true) == 0) return 0;
    }
    return run(command);
}
