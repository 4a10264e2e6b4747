/* Its threads are gcc's. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *threads(PyObject *module, PyObject *nothing) {
    int count = 0;
    (void)module, (void)nothing;
#pragma omp parallel num_threads(3) reduction(+ : count)
    count += 1;
    return PyLong_FromLong(count);
}

static PyMethodDef methods[] = {{"threads", threads, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef module = {PyModuleDef_HEAD_INIT, "of_toolset_openmp", NULL, -1, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_of_toolset_openmp(void) { return PyModule_Create(&module); }
