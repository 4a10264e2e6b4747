/* Where a macro says so, it is a module that only gcc takes, that needs a library, or that cannot be imported. */
#include <Python.h>

#if defined(FOR_GCC) && defined(__clang__)
#error "this compiler is not gcc"
#endif

#if defined(WITH_FOO)
int foo(void);
#elif defined(UNDEFINED)
int defined_nowhere(void);
#define foo defined_nowhere
#else
static int foo(void) { return 42; }
#endif

static PyObject *answer(PyObject *self, PyObject *none) { return PyLong_FromLong(foo()); }

static PyMethodDef functions[] = {{"answer", answer, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "fast", NULL, -1, functions};

PyMODINIT_FUNC PyInit_fast(void)
{
#if defined(NOT_TODAY)
    PyErr_SetString(PyExc_ImportError, "not today");
    return NULL;
#endif
    return PyModule_Create(&module);
}
