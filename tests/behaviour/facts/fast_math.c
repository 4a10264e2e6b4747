/* Compiled and linked with -Ofast: what of it reaches the rest of the process. */
#include "facts.h"

#include <float.h>

FACTS(fast_math) {
    number("__FAST_MATH__",
#ifdef __FAST_MATH__
           1
#else
           0
#endif
    );
    number("__FINITE_MATH_ONLY__", __FINITE_MATH_ONLY__);
    /* Computed by Python, which is compiled without it. */
    PyObject *quotient = PyRun_String("5e-324 * 2 / 2", Py_eval_input, found, found);
    add("a denormal that Python computes is zero", quotient ? PyBool_FromLong(PyFloat_AsDouble(quotient) == 0) : NULL);
    PyDict_DelItemString(found, "__builtins__");
    Py_XDECREF(quotient);
}
