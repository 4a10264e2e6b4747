#include "shapes.h"

#include <vector>

namespace {
struct Hidden {
  int corners = 0;
};
}  // namespace

void throw_standard() { throw std::invalid_argument("no radius"); }
void throw_own() { throw ShapeError("no shape"); }
void throw_template() { throw Circle(); }
void throw_number() { throw 7; }
void throw_text() { throw "text"; }
Shape<double>* make_circle() { return new Circle; }
std::any hold() { return std::vector<int>{1, 2, 3}; }
const std::type_info& vector_type() { return typeid(std::vector<Circle>); }

const char* catch_hidden_square() {
  try {
    throw_hidden_square();
  } catch (const Hidden&) {
    return "taken for another";
  } catch (...) {
    return "told apart";
  }
  return "nothing";
}
