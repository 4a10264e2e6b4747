#include <pybind11/pybind11.h>

#include <stdexcept>

namespace py = pybind11;

PYBIND11_MODULE(NAME, module) {
  module.def("standard", [] { throw std::invalid_argument("standard"); });
  module.def("python", [] { throw py::key_error("python"); });
  module.def("through", [](py::object function) { return function(); });
}
