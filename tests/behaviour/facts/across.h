/* Types that two modules have in common. Python loads each with RTLD_LOCAL, so each has its own copy of their RTTI. */
#pragma once
#include <any>
#include <string>
#include <typeinfo>

struct Shared {
    int value;
};
struct Base {
    virtual ~Base() = default;
    virtual int kind() const { return 1; }
};
struct Derived : Base {
    int kind() const override { return 2; }
};
namespace {
struct Local {};
}  // namespace

struct Given {
    void (*throws)(int kind);
    Base *(*derived)();
    std::any (*any)();
    const std::type_info &(*shared)();
    const std::type_info &(*local)();
};
