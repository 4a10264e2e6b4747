#include <pybind11/pybind11.h>

PYBIND11_MODULE(asks_pybind11, module) {
  module.def("answer", [] { return 42; });
}
