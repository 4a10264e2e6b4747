use pyo3::prelude::*;

#[pyfunction]
fn double(n: i64) -> i64 {
    sums::double(n)
}

#[pymodule]
fn rust_workspace(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(double, module)?)
}
