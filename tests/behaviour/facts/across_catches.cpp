/* The other of two modules: it catches what across_throws.cpp throws, and asks for the types of its objects. */
#include "facts.h"

#include <exception>
#include <memory>
#include <stdexcept>
#include <string>

#include "across.h"

static std::string caught(const Given &given, int kind) {
    try {
        given.throws(kind);
    } catch (const std::logic_error &error) { return std::string("logic_error ") + error.what(); } catch (Shared &shared) {
        return "Shared " + std::to_string(shared.value);
    } catch (const std::string &words) { return "string " + words; } catch (int number) {
        return "int " + std::to_string(number);
    } catch (const Base &base) { return "Base " + std::to_string(base.kind()); } catch (const Local &) {
        return "Local";
    } catch (...) { return "something else"; }
    return "nothing";
}

FACTS(across_catches) {
    PyObject *other = PyImport_ImportModule("across_throws");
    PyObject *made = other ? PyObject_CallMethod(other, "facts", nullptr) : nullptr;
    if (!made) return;
    PyObject *capsule = PyDict_GetItemString(made, "given");
    const Given &given = *static_cast<const Given *>(PyCapsule_GetPointer(capsule, nullptr));
    for (int kind = 0; kind < 6; kind++)
        text(("caught " + std::to_string(kind)).c_str(), caught(given, kind).c_str());
    std::unique_ptr<Base> base(given.derived());
    number("dynamic_cast", dynamic_cast<Derived *>(base.get()) != nullptr);
    number("typeid of an object", typeid(*base) == typeid(Derived));
    std::any any = given.any();
    number("any_cast", std::any_cast<std::string>(&any) != nullptr);
    number("typeid of a shared type", given.shared() == typeid(Shared));
    number("hash_code of a shared type", given.shared().hash_code() == typeid(Shared).hash_code());
    number("typeid of a local type", given.local() == typeid(Local));
    std::exception_ptr kept;
    try {
        given.throws(0);
    } catch (...) { kept = std::current_exception(); }
    number("current_exception", kept != nullptr);
    try {
        std::rethrow_exception(kept);
    } catch (const std::out_of_range &error) { text("rethrown", error.what()); }
    number("uncaught_exceptions", std::uncaught_exceptions());
    Py_DECREF(made);
    Py_DECREF(other);
}
