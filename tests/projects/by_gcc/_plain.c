#include <Python.h>
#include "table.h"
static PyObject *answer(PyObject *self, PyObject *unused) { (void)self, (void)unused; return PyLong_FromLong(ANSWER); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_plain", NULL, -1, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit__plain(void) { return PyModule_Create(&definition); }
