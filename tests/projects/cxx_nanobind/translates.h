#include <nanobind/nanobind.h>

#include <stdexcept>

namespace nb = nanobind;

NB_MODULE(NAME, module) {
  module.def("standard", [] { throw std::invalid_argument("standard"); });
  module.def("python", [] { throw nb::key_error("python"); });
  module.def("through", [](nb::object function) { return function(); });
}
