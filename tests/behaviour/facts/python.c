/* CPython's own types across the border: integers, floats, text, buffers, and the sizes that its headers give. */
#include "facts.h"

#include <limits.h>
#include <string.h>

static void integers(void) {
    static const char *const decimal[] = {"0", "-1", "2147483648", "-9223372036854775808", "18446744073709551615"};
    for (size_t i = 0; i < sizeof decimal / sizeof *decimal; i++) {
        char name[80];
        PyObject *value = PyLong_FromString(decimal[i], NULL, 10);
        int overflow = 0;
        snprintf(name, sizeof name, "%s as long long", decimal[i]);
        number(name, PyLong_AsLongLongAndOverflow(value, &overflow));
        snprintf(name, sizeof name, "%s overflows long long", decimal[i]), number(name, overflow);
        snprintf(name, sizeof name, "%s as a mask", decimal[i]);
        number(name, (long long)PyLong_AsUnsignedLongLongMask(value));
        snprintf(name, sizeof name, "%s as long", decimal[i]), number(name, PyLong_AsLongAndOverflow(value, &overflow));
        snprintf(name, sizeof name, "%s overflows long", decimal[i]), number(name, overflow);
        PyErr_Clear();
        Py_DECREF(value);
    }
    number("SIZEOF_LONG", SIZEOF_LONG), number("SIZEOF_VOID_P", SIZEOF_VOID_P), number("SIZEOF_WCHAR_T", SIZEOF_WCHAR_T);
    number("SIZEOF_TIME_T", SIZEOF_TIME_T), number("SIZEOF_OFF_T", SIZEOF_OFF_T);
    number("PyLong_SHIFT", PyLong_SHIFT), number("Py_ssize_t", sizeof(Py_ssize_t)), number("Py_hash_t", sizeof(Py_hash_t));
    number("PyObject", sizeof(PyObject)), number("PyFloatObject", sizeof(PyFloatObject));
    number("PyTypeObject", sizeof(PyTypeObject)), number("Py_buffer", sizeof(Py_buffer));
    number("PyThreadState_Get", PyThreadState_Get() != NULL);
}

static void values(void) {
    PyErr_Clear();
    add("floats", Py_BuildValue("ddf", 0.1, -0.0, 0.5));
    add("integers", Py_BuildValue("bBhHiIlkLKn", -1, 255, -1, 65535, -1, 4294967295U, -1L, 1UL, -1LL, 1ULL, (Py_ssize_t)-1));
    add("texts", Py_BuildValue("(su#y#)", "a", L"b", (Py_ssize_t)1, "c", (Py_ssize_t)1));
    add("complex", PyComplex_FromDoubles(1.5, -2.5));
    add("wide text", PyUnicode_FromWideChar(L"\x20ac", 1));
    Py_complex product = _Py_c_prod((Py_complex){1, 2}, (Py_complex){3, 4});
    real("a struct by value", product.real + product.imag * 100);
    PyObject *words = Py_BuildValue("(iLdni)", 1, 2LL, 3.5, (Py_ssize_t)4, 1);
    int i = 0, p = 0;
    long long l = 0;
    double d = 0;
    Py_ssize_t n = 0;
    number("PyArg_ParseTuple", words && PyArg_ParseTuple(words, "iLdnp", &i, &l, &d, &n, &p));
    real("its values", i + 10 * (double)l + 100 * d + 1000 * (double)n + 10000 * p);
    Py_XDECREF(words);
    char *digits = PyOS_double_to_string(0.1, 'r', 0, 0, NULL);
    text("repr", digits);
    PyMem_Free(digits);
    real("PyOS_string_to_double", PyOS_string_to_double("1e-310", NULL, NULL));
    add("format", PyUnicode_FromFormat("%zd %lld %u %c %%", (Py_ssize_t)-1, -2LL, 3U, 'x'));
}

static void buffers(void) {
    PyErr_Clear();
    PyObject *bytes = PyBytes_FromStringAndSize("abcdefgh", 8);
    Py_buffer view;
    number("PyObject_GetBuffer", PyObject_GetBuffer(bytes, &view, PyBUF_FULL_RO));
    number("length", view.len), number("item size", view.itemsize), number("dimensions", view.ndim);
    text("format of it", view.format), number("shape", view.shape[0]), number("stride", view.strides[0]);
    PyBuffer_Release(&view);
    PyObject *memory = PyMemoryView_FromObject(bytes);
    number("PyMemoryView_Check", PyMemoryView_Check(memory));
    add("a slice", PyObject_CallMethod(memory, "tobytes", NULL) ? PyLong_FromLong(1) : NULL);
    number("PyBuffer_SizeFromFormat", PyBuffer_SizeFromFormat("d"));
    number("a pointer by struct", PyBuffer_SizeFromFormat("P"));
    Py_XDECREF(memory);
    Py_DECREF(bytes);
}

FACTS(python) {
    integers(), values(), buffers();
    PyErr_Clear();
}
