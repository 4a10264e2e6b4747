#define PY_SSIZE_T_CLEAN
#include <Python.h>

#ifndef FROM_SETTINGS
#define FROM_SETTINGS 0
#endif
#ifndef HAS_SEMTIMEDOP
#define HAS_SEMTIMEDOP 0
#endif
#ifndef HAS_NONSENSE
#define HAS_NONSENSE 0
#endif

/* Called before its declaration, as gcc before 14 warns. */
static PyObject *answer(PyObject *self, PyObject *args) { return PyLong_FromLong(declared_later(40)); }
int declared_later(int x) { return x + 2; }

static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, ""}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "as_by_gcc", 0, -1, methods};

PyMODINIT_FUNC PyInit_as_by_gcc(void) {
    PyObject *made = PyModule_Create(&module);
    PyModule_AddIntConstant(made, "from_settings", FROM_SETTINGS);
    PyModule_AddIntConstant(made, "include_level", __INCLUDE_LEVEL__);
    PyModule_AddStringConstant(made, "base_file", __BASE_FILE__);
    PyModule_AddStringConstant(made, "file", __FILE__);
    PyModule_AddIntConstant(made, "has_semtimedop", HAS_SEMTIMEDOP);
    PyModule_AddIntConstant(made, "has_nonsense", HAS_NONSENSE);
    return made;
}
