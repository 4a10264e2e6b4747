#include <Python.h>
static int outer(int x) { int inner(int y) { return x + y; } return inner(2); }
static PyObject *answer(PyObject *self, PyObject *unused) { (void)self, (void)unused; return PyLong_FromLong(outer(3)); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_nested", NULL, -1, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit__nested(void) { return PyModule_Create(&definition); }
