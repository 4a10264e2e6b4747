#if __STDC_VERSION__ == 199901L && defined __aarch64__
int standard(void) { return 3; }
#endif
