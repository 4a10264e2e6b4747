#include <Python.h>

#include <string>

extern "C" int answer(void);

static PyObject *told(PyObject *, PyObject *) {
    try {
        throw std::to_string(answer());
    } catch (const std::string &text) {
        return PyUnicode_FromString(text.c_str());
    }
}

static PyMethodDef methods[] = {{"told", told, METH_NOARGS, nullptr}, {nullptr, nullptr, 0, nullptr}};
static PyModuleDef module = {PyModuleDef_HEAD_INIT, "by_cmake", nullptr, 0, methods, nullptr, nullptr, nullptr, nullptr};

PyMODINIT_FUNC PyInit_by_cmake(void) { return PyModuleDef_Init(&module); }
