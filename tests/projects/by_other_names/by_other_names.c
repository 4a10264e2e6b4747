#include <Python.h>

int assembled(void), preprocessed(void), standard(void);

static PyObject *sum(PyObject *self, PyObject *none) {
    return PyLong_FromLong(assembled() + preprocessed() + standard());
}

static PyMethodDef methods[] = {{"sum", sum, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "by_other_names", NULL, -1, methods};
PyMODINIT_FUNC PyInit_by_other_names(void) { return PyModule_Create(&module); }
