use pyo3::prelude::*;

#[pyfunction]
fn double(n: i64) -> i64 {
    2 * n
}

#[pymodule]
fn rust_abi3(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(double, module)?)
}
