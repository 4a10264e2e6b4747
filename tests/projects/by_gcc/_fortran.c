#include <Python.h>
int square(int);
static PyObject *answer(PyObject *self, PyObject *unused) { (void)self, (void)unused; return PyLong_FromLong(square(7)); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_fortran", NULL, -1, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit__fortran(void) { return PyModule_Create(&definition); }
