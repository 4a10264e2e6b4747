#include <Python.h>

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "fast", .m_size = -1};

PyMODINIT_FUNC PyInit_fast(void) { return PyModule_Create(&module); }
