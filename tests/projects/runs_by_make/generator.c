/* Writes what the target says of itself: plain char is signed on x86, and not on Arm. */
#include <stdio.h>

int main(void) {
    printf("#define GENERATED %d\n", (char)-1 < 0);
    return 0;
}
