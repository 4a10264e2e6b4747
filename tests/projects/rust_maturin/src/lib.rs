use pyo3::prelude::*;

#[pyfunction]
fn double(n: i64) -> i64 {
    2 * n
}

/// A panic becomes an exception, which needs the unwinder that the wheel is linked with.
#[pyfunction]
fn panics() {
    panic!("as asked");
}

#[pymodule]
fn rust_maturin(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(double, module)?)?;
    module.add_function(wrap_pyfunction!(panics, module)?)
}
