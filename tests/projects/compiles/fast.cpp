// Needs the C++ library: exceptions cross it, and strings come from it.
#include <Python.h>
#include <stdexcept>
#include <string>

static PyObject *answer(PyObject *, PyObject *) {
  try {
    throw std::runtime_error(std::string("4") + "2");
  } catch (const std::exception &error) {
    return PyLong_FromLong(std::stol(error.what()));
  }
}

static PyMethodDef functions[] = {{"answer", answer, METH_NOARGS, nullptr}, {nullptr, nullptr, 0, nullptr}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "fast", nullptr, -1, functions};

PyMODINIT_FUNC PyInit_fast() { return PyModule_Create(&module); }
