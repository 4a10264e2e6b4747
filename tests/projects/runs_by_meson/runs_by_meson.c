#include <Python.h>

#include "generated.h"

static PyObject *answer(PyObject *self, PyObject *unused) { return Py_BuildValue("(ii)", FOUND, GENERATED); }

static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "runs_by_meson", NULL, -1, methods};

PyMODINIT_FUNC PyInit_runs_by_meson(void) { return PyModule_Create(&module); }
