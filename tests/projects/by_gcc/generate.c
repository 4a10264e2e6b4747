#include <stdio.h>
int main(void) { return printf("#define ANSWER %d\n", (int)sizeof(void *) * 5 + 2) < 0; }
