#include <Python.h>

#include <typeindex>
#include <vector>

#include "shapes.h"

static const char* caught_from(void (*function)()) {
  try {
    function();
  } catch (const ShapeError&) {
    return "ShapeError";
  } catch (const std::invalid_argument&) {
    return "invalid_argument";
  } catch (const Shape<double>&) {
    return "Shape";
  } catch (int) {
    return "int";
  } catch (const char*) {
    return "text";
  } catch (...) {
    return "unknown";
  }
  return "nothing";
}

static PyObject* answers(PyObject*, PyObject*) {
  Shape<double>* shape = make_circle();
  std::any held = hold();
  const std::type_info& type = typeid(std::vector<Circle>);
  bool casts = dynamic_cast<Circle*>(shape) && typeid(*shape) == typeid(Circle);
  bool holds = std::any_cast<std::vector<int>>(&held);
  bool equal = type == vector_type() && std::type_index(type) == std::type_index(vector_type()) &&
               type.hash_code() == vector_type().hash_code() && !type.before(vector_type());
  delete shape;
  return Py_BuildValue(
      "{s:s,s:s,s:s,s:s,s:s,s:s,s:O,s:O,s:O}", "standard", caught_from(throw_standard), "own", caught_from(throw_own),
      "template", caught_from(throw_template), "number", caught_from(throw_number), "text", caught_from(throw_text),
      "hidden", catch_hidden_square(), "casts", casts ? Py_True : Py_False, "holds", holds ? Py_True : Py_False,
      "equal", equal ? Py_True : Py_False);
}

static PyMethodDef methods[] = {{"answers", answers, METH_NOARGS, nullptr}, {nullptr, nullptr, 0, nullptr}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, "asks", nullptr, -1, methods, nullptr, nullptr, nullptr, nullptr};

PyMODINIT_FUNC PyInit_asks(void) { return PyModule_Create(&definition); }
