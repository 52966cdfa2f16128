//! `moiety._core`: the only file that knows both Rust and Python.
//!
//! Converts, releases the interpreter, and maps every refusal to `ValueError`.

use std::sync::LazyLock;

use moiety_core::curve::{self, Point, Tag};
use moiety_core::keys::{SecretScalar, StreamKey};
use moiety_core::{Features, bits, prg, ring};
use numpy::{
    PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2, PyReadwriteArrayDyn,
    PyUntypedArrayMethods,
};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict};
use zeroize::Zeroizing;

static FEATURES: LazyLock<Features> = LazyLock::new(|| {
    if std::env::var_os("MOIETY_PORTABLE").is_some_and(|value| value == "1") {
        Features::PORTABLE
    } else {
        Features::detect()
    }
});

fn refuse(error: moiety_core::Error) -> PyErr {
    PyValueError::new_err(error.to_string())
}

fn not_contiguous(name: &str) -> PyErr {
    PyValueError::new_err(format!("{name}: the array is not C-contiguous"))
}

#[pyfunction]
#[pyo3(signature = (key, stream_id, offset_bytes, out))]
fn stream(
    py: Python<'_>,
    key: &[u8],
    stream_id: u64,
    offset_bytes: u64,
    mut out: PyReadwriteArrayDyn<'_, u8>,
) -> PyResult<()> {
    let key: &[u8; 16] = key
        .try_into()
        .map_err(|_| PyValueError::new_err(format!("key: expected 16 bytes, found {}", key.len())))?;
    let prg = prg::Prg::new(&StreamKey::new(key));
    if !out.is_c_contiguous() {
        return Err(not_contiguous("out"));
    }
    let out = out.as_slice_mut().map_err(|_| not_contiguous("out"))?;
    py.detach(|| prg.fill(stream_id, offset_bytes, out)).map_err(refuse)
}

#[pyfunction]
#[pyo3(signature = (a, b, threads=1))]
fn matmul_u64<'py>(
    py: Python<'py>,
    a: PyReadonlyArray2<'py, u64>,
    b: PyReadonlyArray2<'py, u64>,
    threads: usize,
) -> PyResult<Bound<'py, PyArray2<u64>>> {
    let ([m, k], [rows, n]) = (dims(&a), dims(&b));
    if k != rows {
        return Err(PyValueError::new_err(format!("shapes ({m}, {k}) and ({rows}, {n}) do not chain")));
    }
    let (a, b) = (words2(&a, "a")?, words2(&b, "b")?);
    let out = py.detach(|| {
        let mut out = vec![0; m * n];
        ring::matmul(a, b, &mut out, (m, k, n), threads, *FEATURES).map(|()| out)
    });
    PyArray1::from_vec(py, out.map_err(refuse)?).reshape([m, n])
}

fn dims(array: &PyReadonlyArray2<'_, u64>) -> [usize; 2] {
    let shape = array.shape();
    [shape[0], shape[1]]
}

fn words2<'a>(array: &'a PyReadonlyArray2<'_, u64>, name: &str) -> PyResult<&'a [u64]> {
    if !array.is_c_contiguous() {
        return Err(not_contiguous(name));
    }
    array.as_slice().map_err(|_| not_contiguous(name))
}

#[pyfunction]
fn pack_words<'py>(
    py: Python<'py>,
    x: PyReadonlyArray1<'py, u64>,
    bits: u32,
) -> PyResult<Bound<'py, PyBytes>> {
    let x = x.as_slice().map_err(|_| not_contiguous("x"))?;
    let packed = py.detach(|| bits::pack(x, bits)).map_err(refuse)?;
    Ok(PyBytes::new(py, &packed))
}

#[pyfunction]
fn unpack_words<'py>(
    py: Python<'py>,
    data: PyBackedBytes,
    n: usize,
    bits: u32,
) -> PyResult<Bound<'py, PyArray1<u64>>> {
    let words = py.detach(|| bits::unpack(&data, n, bits)).map_err(refuse)?;
    Ok(PyArray1::from_vec(py, words))
}

#[pyclass(frozen, module = "moiety._core")]
struct PsiKey(SecretScalar);

#[pymethods]
impl PsiKey {
    #[staticmethod]
    fn random() -> PyResult<Self> {
        let mut seed = Zeroizing::new([0; 64]);
        getrandom::fill(seed.as_mut()).map_err(|error| PyOSError::new_err(error.to_string()))?;
        SecretScalar::from_uniform(&seed).map(Self).map_err(refuse)
    }

    #[pyo3(signature = (items, domain, threads=1))]
    fn blind<'py>(
        &self,
        py: Python<'py>,
        items: Vec<PyBackedBytes>,
        domain: &[u8],
        threads: usize,
    ) -> PyResult<Bound<'py, PyArray2<u8>>> {
        let tag = Tag::psi(domain);
        let points = py.detach(|| curve::blind(&self.0, &items, &tag, threads));
        encoded(py, points)
    }

    #[pyo3(signature = (points, threads=1))]
    fn evaluate<'py>(
        &self,
        py: Python<'py>,
        points: PyReadonlyArray2<'py, u8>,
        threads: usize,
    ) -> PyResult<Bound<'py, PyArray2<u8>>> {
        let width = points.shape()[1];
        if width != 32 {
            return Err(PyValueError::new_err(format!("points: expected width 32, found {width}")));
        }
        if !points.is_c_contiguous() {
            return Err(not_contiguous("points"));
        }
        let bytes = points.as_slice().map_err(|_| not_contiguous("points"))?;
        let (points, _) = bytes.as_chunks::<32>();
        encoded(py, py.detach(|| curve::evaluate(&self.0, points, threads)).map_err(refuse)?)
    }

    fn __repr__(&self) -> &'static str {
        "PsiKey(hidden)"
    }
}

fn encoded(py: Python<'_>, points: Vec<Point>) -> PyResult<Bound<'_, PyArray2<u8>>> {
    let rows = points.len();
    PyArray1::from_vec(py, points.into_flattened()).reshape([rows, 32])
}

#[pyfunction]
fn cpu_features(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let paths = PyDict::new(py);
    paths.set_item("matmul", if FEATURES.avx2() { "avx2" } else { "portable" })?;
    Ok(paths)
}

#[pymodule(gil_used = false)]
mod _core {
    #[pymodule_export]
    use super::{PsiKey, cpu_features, matmul_u64, pack_words, stream, unpack_words};
}
