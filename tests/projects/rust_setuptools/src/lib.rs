//! A module without PyO3, for which no crate but `cc` is compiled.

use std::ffi::{c_char, c_int, c_void};

extern "C" {
    fn in_c(n: f64) -> f64;
    fn PyModule_Create2(definition: *mut Definition, version: c_int) -> *mut c_void;
    fn PyFloat_AsDouble(object: *mut c_void) -> f64;
    fn PyFloat_FromDouble(n: f64) -> *mut c_void;
}

#[repr(C)]
struct Method {
    name: *const c_char,
    function: Option<unsafe extern "C" fn(*mut c_void, *mut c_void) -> *mut c_void>,
    flags: c_int,
    doc: *const c_char,
}

/// PyModuleDef, whose PyObject_HEAD has two words before CPython 3.12 and in builds with a GIL.
#[repr(C)]
struct Definition {
    references: isize,
    class: *mut c_void,
    rest_of_base: [usize; 3],
    name: *const c_char,
    doc: *const c_char,
    size: isize,
    methods: *mut Method,
    slots: [usize; 4],
}

const METH_O: c_int = 8;
const PYTHON_API_VERSION: c_int = 1013;

static mut METHODS: [Method; 2] = [
    Method { name: c"double".as_ptr(), function: Some(double), flags: METH_O, doc: std::ptr::null() },
    Method { name: std::ptr::null(), function: None, flags: 0, doc: std::ptr::null() },
];

static mut MODULE: Definition = Definition {
    references: 1,
    class: std::ptr::null_mut(),
    rest_of_base: [0; 3],
    name: c"rust_setuptools".as_ptr(),
    doc: std::ptr::null(),
    size: -1,
    methods: &raw mut METHODS as *mut Method,
    slots: [0; 4],
};

unsafe extern "C" fn double(_module: *mut c_void, n: *mut c_void) -> *mut c_void {
    PyFloat_FromDouble(in_c(PyFloat_AsDouble(n)))
}

#[no_mangle]
pub unsafe extern "C" fn PyInit_rust_setuptools() -> *mut c_void {
    PyModule_Create2(&raw mut MODULE, PYTHON_API_VERSION)
}
