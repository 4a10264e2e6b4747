/* What an extension has of the image that it was compiled against: its zlib, and libgcc's long doubles. */
#include <Python.h>

#include <fenv.h>
#include <zlib.h>

static PyObject *checksum(PyObject *module, PyObject *nothing) {
    return PyLong_FromUnsignedLong(crc32(0, (const Bytef *)"abc", 3));
}

/* AArch64 divides long doubles by a call; those of libgcc raise the exceptions of floating point. */
static PyObject *raises(PyObject *module, PyObject *nothing) {
    volatile long double one = 1, none = 0, quotient;
    feclearexcept(FE_ALL_EXCEPT);
    quotient = one / none;
    (void)quotient;
    return PyBool_FromLong(fetestexcept(FE_DIVBYZERO));
}

static PyMethodDef methods[] = {
    {"checksum", checksum, METH_NOARGS, NULL},
    {"raises", raises, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "asks_the_image", NULL, -1, methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_asks_the_image(void) { return PyModule_Create(&module); }
