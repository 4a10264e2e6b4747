/* With assertions, the headers of gcc 12 and later call a function that libstdc++.so.6 of gcc 10 has not. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <array>
#include <stdexcept>
#include <string>

static std::array<int, 3> numbers{40, 41, 42};

static PyObject *answer(PyObject *module, PyObject *at) {
    (void)module;
    try {
        if (PyLong_AsLong(at) > 2) throw std::out_of_range("too far");
        return PyLong_FromLong(numbers[static_cast<std::size_t>(PyLong_AsLong(at))]);
    } catch (const std::out_of_range &error) { return PyUnicode_FromString(error.what()); }
}

static PyMethodDef methods[] = {{"answer", answer, METH_O, nullptr}, {nullptr, nullptr, 0, nullptr}};
static PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "of_toolset_cxx", nullptr, -1, methods, nullptr, nullptr, nullptr, nullptr};
PyMODINIT_FUNC PyInit_of_toolset_cxx() { return PyModule_Create(&module); }
