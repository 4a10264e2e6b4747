/* What every file of facts needs: FACTS(name) { ... } makes an extension `name` whose function facts() returns a dict.
 *
 * Inside, number(), real() and text() add a fact. A value must not depend on time, addresses or the machine. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <float.h>
#include <stdio.h>

/* Under QEMU 7.2 a store of 16 bytes to an atomic (stqcx.) never succeeds on POWER, whichever compiler is asked. For
 * musl there is no libatomic of gcc's, which calls it on some architectures. */
#if !defined(__powerpc64__) && !defined(FOR_MUSL)
#define STORES_PAIRS
#endif

static PyObject *found;

static inline void add(const char *name, PyObject *value) {
    if (value) PyDict_SetItemString(found, name, value);
    Py_XDECREF(value);
}

static inline void number(const char *name, long long value) { add(name, PyLong_FromLongLong(value)); }
static inline void text(const char *name, const char *value) { add(name, PyUnicode_FromString(value)); }

/* In hexadecimal, so that every bit is compared; what a NaN carries is not. */
static inline void real(const char *name, double value) {
    char digits[64];
    snprintf(digits, sizeof digits, value == value ? "%a" : "nan", value);
    text(name, digits);
}

/* As decimal digits: all that are certain. */
static inline void long_real(const char *name, long double value) {
    char digits[64];
    snprintf(digits, sizeof digits, value == value ? "%.*Lg" : "nan", LDBL_DIG - 1, value);
    text(name, digits);
}

#ifdef __cplusplus
#define EXPORTED extern "C" __attribute__((visibility("default")))
#else
#define EXPORTED __attribute__((visibility("default")))
#endif

#define FACTS(name)                                                                                                    \
    static void collect(void);                                                                                         \
    static PyObject *facts(PyObject *module, PyObject *nothing) {                                                      \
        (void)module, (void)nothing;                                                                                   \
        found = PyDict_New();                                                                                          \
        collect();                                                                                                     \
        return found;                                                                                                  \
    }                                                                                                                  \
    static PyMethodDef methods[] = {{"facts", facts, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};                       \
    static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, #name, NULL, -1, methods, NULL, NULL, NULL, NULL};      \
    EXPORTED PyObject *PyInit_##name(void) { return PyModule_Create(&module); }                                        \
    static void collect(void)
