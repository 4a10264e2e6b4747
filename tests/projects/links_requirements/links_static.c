#include <Python.h>
#include <numpy/halffloat.h>

static PyObject *answer(PyObject *module, PyObject *none) {
    (void)module;
    (void)none;
    return PyLong_FromLong(npy_half_to_double(npy_double_to_half(42.0)));
}

static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "links_static", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_links_static(void) { return PyModule_Create(&definition); }
