/* Compiled and linked with -Ofast: what of it reaches the rest of the process. */
#include "facts.h"

#include <float.h>
#include <math.h>

/* Functions of their own: clang drops an argument or a result that it takes for undefined. */
__attribute__((noinline)) static double least(const double *of, Py_ssize_t count, double none) {
    for (Py_ssize_t i = 0; i < count; i++)
        if (of[i] < none) none = of[i];
    return none;
}

__attribute__((noinline)) static double known(double value, int is_known) { return is_known ? value : NAN; }

FACTS(fast_math) {
    number("__FAST_MATH__",
#ifdef __FAST_MATH__
           1
#else
           0
#endif
    );
    number("__FINITE_MATH_ONLY__", __FINITE_MATH_ONLY__);
    const double numbers[] = {3, 1, 2};
    real("the least of three, from infinity down", least(numbers, 3, INFINITY));
    real("the least of none is infinite", least(numbers, 0, INFINITY));
    real("an unknown number", known((double)PyDict_Size(found), 0));
    /* Computed by Python, which is compiled without it. */
    PyObject *quotient = PyRun_String("5e-324 * 2 / 2", Py_eval_input, found, found);
    add("a denormal that Python computes is zero", quotient ? PyBool_FromLong(PyFloat_AsDouble(quotient) == 0) : NULL);
    PyDict_DelItemString(found, "__builtins__");
    Py_XDECREF(quotient);
}
