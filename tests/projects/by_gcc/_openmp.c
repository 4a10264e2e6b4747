#include <Python.h>
#include <omp.h>
static int threads(void) {
    int count = 0;
#pragma omp parallel num_threads(3) reduction(+ : count)
    count += 1;
    return count;
}
static PyObject *answer(PyObject *self, PyObject *unused) { (void)self, (void)unused; return PyLong_FromLong(threads()); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_openmp", NULL, -1, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit__openmp(void) { return PyModule_Create(&definition); }
