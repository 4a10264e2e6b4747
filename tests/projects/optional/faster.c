#include <Python.h>

#ifdef __clang__
#error this compiler is not gcc
#endif

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, .m_name = "faster", .m_size = -1};

PyMODINIT_FUNC PyInit_faster(void) { return PyModule_Create(&module); }
