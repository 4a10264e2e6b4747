/* Loads the modules of facts in a folder and prints a line of JSON for each fact, in the place of CPython. */
#include "Python.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct object {
    char *text;
    long long number;
};

static const char *loading;

static PyObject *made(const char *text, long long number) {
    PyObject *object = malloc(sizeof *object);
    object->text = text ? strdup(text) : NULL;
    object->number = number;
    return object;
}

static void quoted(const char *text) {
    for (putchar('"'); *text; text++) {
        if (*text == '"' || *text == '\\') putchar('\\');
        if ((unsigned char)*text < ' ')
            printf("\\u%04x", *text);
        else
            putchar(*text);
    }
    putchar('"');
}

PyObject *PyModule_Create(struct PyModuleDef *module) { return (PyObject *)module->m_methods; }
PyObject *PyDict_New(void) { return made(NULL, 0); }
PyObject *PyLong_FromLongLong(long long value) { return made(NULL, value); }
PyObject *PyUnicode_FromString(const char *text) { return made(text, 0); }
void Py_XDECREF(PyObject *object) { (void)object; }

int PyDict_SetItemString(PyObject *found, const char *fact, PyObject *value) {
    char name[512];
    (void)found;
    snprintf(name, sizeof name, "%s: %s", loading, fact);
    putchar('{'), quoted(name), putchar(':');
    if (value->text)
        quoted(value->text);
    else
        printf("%lld", value->number);
    puts("}");
    return 0;
}

int main(int count, char **words) {
    for (int i = 2; i < count; i++) {
        char path[4096], entry[512];
        loading = words[i];
        fprintf(stderr, "%s\n", loading);
        snprintf(path, sizeof path, "%s/%s.so", words[1], loading);
        snprintf(entry, sizeof entry, "PyInit_%s", loading);
        void *library = dlopen(path, RTLD_NOW);
        if (!library) return fprintf(stderr, "%s\n", dlerror()), 1;
        PyObject *(*initialise)(void) = (PyObject * (*)(void)) dlsym(library, entry);
        ((PyMethodDef *)initialise())->ml_meth(NULL, NULL);
        fflush(stdout);
    }
    return 0;
}
