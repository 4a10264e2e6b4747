/* One of two modules: it throws, and gives objects. across_catches.cpp is the other. */
#include "facts.h"

#include <any>
#include <stdexcept>
#include <string>

#include "across.h"

namespace {
const Given given = {
    [](int kind) {
        switch (kind) {
        case 0: throw std::out_of_range("standard");
        case 1: throw Shared{7};
        case 2: throw std::string("text");
        case 3: throw 42;
        case 4: throw Derived{};
        default: throw Local{};
        }
    },
    []() -> Base * { return new Derived; },
    []() -> std::any { return std::string("inside"); },
    []() -> const std::type_info & { return typeid(Shared); },
    []() -> const std::type_info & { return typeid(Local); },
};
}  // namespace

FACTS(across_throws) {
    add("given", PyCapsule_New(const_cast<Given *>(&given), nullptr, nullptr));
}
