#include <Python.h>
#include <numpy/arrayobject.h>

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "asks_numpy", NULL, -1};

PyMODINIT_FUNC PyInit_asks_numpy(void) {
    import_array();
    return PyModule_Create(&module);
}
