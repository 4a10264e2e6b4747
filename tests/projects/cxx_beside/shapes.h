#pragma once
#include <any>
#include <stdexcept>
#include <typeinfo>

struct ShapeError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class T> struct Shape {
  virtual ~Shape() {}
};
struct Circle : Shape<double> {};

// Each of these is in the library: what it makes is thrown, cast and compared in the extension.
void throw_standard();
void throw_own();
void throw_template();
void throw_number();
void throw_text();
Shape<double>* make_circle();
std::any hold();
const std::type_info& vector_type();

// Two source files of the library have an unnamed namespace with a type of one name.
void throw_hidden_square();
const char* catch_hidden_square();
