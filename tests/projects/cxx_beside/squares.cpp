#include "shapes.h"

namespace {
struct Hidden {
  double side = 1;
};
}  // namespace

void throw_hidden_square() { throw Hidden(); }
