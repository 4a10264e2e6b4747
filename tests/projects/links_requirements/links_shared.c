#include <Python.h>
#include <openblas_config.h>

double scipy_cblas_ddot(int count, const double *x, int step_x, const double *y, int step_y);

static PyObject *answer(PyObject *module, PyObject *none) {
    const double x[] = {1, 2, 3}, y[] = {4, 5, 6};
    (void)module;
    (void)none;
    return Py_BuildValue("ds", scipy_cblas_ddot(3, x, 1, y, 1), OPENBLAS_CHAR_CORENAME);
}

static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "links_shared", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_links_shared(void) { return PyModule_Create(&definition); }
