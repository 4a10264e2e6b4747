/* As much of CPython's API as facts.h uses: Debian has no CPython for musl. tell.c implements it. */
#include <stddef.h>

typedef struct object PyObject;
typedef ptrdiff_t Py_ssize_t;
typedef PyObject *(*PyCFunction)(PyObject *, PyObject *);
typedef struct {
    const char *ml_name;
    PyCFunction ml_meth;
    int ml_flags;
    const char *ml_doc;
} PyMethodDef;
struct PyModuleDef {
    int m_base;
    const char *m_name, *m_doc;
    Py_ssize_t m_size;
    PyMethodDef *m_methods;
    void *m_slots, *m_traverse, *m_clear, *m_free;
};

#define PyModuleDef_HEAD_INIT 0
#define METH_NOARGS 4
#define FOR_MUSL

PyObject *PyModule_Create(struct PyModuleDef *);
PyObject *PyDict_New(void);
PyObject *PyLong_FromLongLong(long long);
PyObject *PyUnicode_FromString(const char *);
int PyDict_SetItemString(PyObject *, const char *, PyObject *);
void Py_XDECREF(PyObject *);
