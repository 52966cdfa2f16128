//! `moiety._core`: the only crate that knows both Rust and Python.
//!
//! Converts, releases the interpreter, and maps every refusal to `ValueError`.

#![expect(clippy::needless_pass_by_value, reason = "PyO3 hands over what it extracts")]

mod comparison;
mod flow;
mod memory;
mod part;
mod points;
mod scaled;
mod tables;
mod ticks;
mod waves;
mod wire;

use std::sync::LazyLock;

use moiety_core::curve::{self, Point, Tag};
use moiety_core::keys::{SecretScalar, StreamKey};
use moiety_core::prg::Prg;
use moiety_core::ring::{Shape, matmul, matmul_transposed};
use moiety_core::{Features, bits};
use numpy::ndarray::Dimension;
use numpy::{
    Element, PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray, PyReadonlyArray1,
    PyReadonlyArray2, PyReadwriteArrayDyn, PyUntypedArrayMethods,
};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict};
use zeroize::Zeroizing;

/// What the kernels may use. In the environment, `MOIETY_PORTABLE=1` turns all instruction sets off
/// and `MOIETY_THREADS` says on how many threads a kernel may run.
static FEATURES: LazyLock<Features> = LazyLock::new(|| {
    let value = |name| std::env::var_os(name).and_then(|value| value.into_string().ok());
    let portable = value("MOIETY_PORTABLE").is_some_and(|value| value == "1");
    let found = if portable { Features::PORTABLE } else { Features::detect() };
    let threads = value("MOIETY_THREADS").and_then(|value| value.parse().ok());
    threads.map_or(found, |threads| found.with_threads(threads))
});

fn refuse(error: moiety_core::Error) -> PyErr {
    PyValueError::new_err(error.to_string())
}

fn not_plain(name: &str) -> PyErr {
    PyValueError::new_err(format!("{name}: the array is not C-contiguous and aligned"))
}

/// The array's elements in C order, without a copy.
fn plain<'a, T: Element, D: Dimension>(
    array: &'a PyReadonlyArray<'_, T, D>,
    name: &str,
) -> PyResult<&'a [T]> {
    if !array.is_c_contiguous() {
        return Err(not_plain(name));
    }
    array.as_slice().map_err(|_| not_plain(name))
}

fn stream_key(key: &[u8]) -> PyResult<StreamKey> {
    let bytes = key.try_into().map(StreamKey::new);
    bytes.map_err(|_| PyValueError::new_err(format!("key: expected 16 bytes, found {}", key.len())))
}

#[pyfunction]
fn stream(
    py: Python<'_>,
    key: &[u8],
    stream_id: u64,
    offset_bytes: u64,
    mut out: PyReadwriteArrayDyn<'_, u8>,
) -> PyResult<()> {
    let key = stream_key(key)?;
    if !out.is_c_contiguous() {
        return Err(not_plain("out"));
    }
    let out = out.as_slice_mut().map_err(|_| not_plain("out"))?;
    py.detach(|| Prg::new(&key, *FEATURES).fill(stream_id, offset_bytes, out)).map_err(refuse)
}

#[pyfunction]
#[pyo3(signature = (a, b, threads=0, transposed=false))]
fn matmul_u64<'py>(
    py: Python<'py>,
    a: PyReadonlyArray2<'py, u64>,
    b: PyReadonlyArray2<'py, u64>,
    threads: usize,
    transposed: bool,
) -> PyResult<Bound<'py, PyArray2<u64>>> {
    let (rows, columns) = (a.shape()[0], a.shape()[1]);
    let (m, k) = if transposed { (columns, rows) } else { (rows, columns) };
    let shape = Shape { m, k, n: b.shape()[1] };
    if k != b.shape()[0] {
        let shapes = format!("shapes {:?} and {:?} do not chain", [m, k], b.shape());
        return Err(PyValueError::new_err(shapes));
    }
    let (left, right) = (plain(&a, "a")?, plain(&b, "b")?);
    let threads = if threads == 0 { FEATURES.most_threads() } else { threads };
    part::rows(py, [m, shape.n], |out| {
        let product = if transposed { matmul_transposed } else { matmul };
        product(left, right, out, shape, threads, *FEATURES)
    })
}

#[pyfunction]
fn pack_words<'py>(
    py: Python<'py>,
    x: PyReadonlyArray1<'py, u64>,
    bits: u32,
) -> PyResult<Bound<'py, PyBytes>> {
    let words = plain(&x, "x")?;
    let length = bits::packed_len(words.len(), bits).map_err(refuse)?;
    PyBytes::new_with(py, length, |out| {
        py.detach(|| bits::pack(words, bits, out, *FEATURES)).map_err(refuse)
    })
}

#[pyfunction]
fn unpack_words(
    py: Python<'_>,
    data: PyBackedBytes,
    n: usize,
    bits: u32,
) -> PyResult<Bound<'_, PyArray1<u64>>> {
    bits::check(bits, n, &data).map_err(refuse)?;
    part::words(py, n, |out| bits::unpack(&data, bits, out, *FEATURES))
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
        let (points, _) = plain(&points, "points")?.as_chunks();
        encoded(py, py.detach(|| curve::evaluate(&self.0, points, threads)).map_err(refuse)?)
    }

    fn __repr__(&self) -> String {
        format!("PsiKey({:?})", self.0)
    }
}

fn encoded(py: Python<'_>, points: Vec<Point>) -> PyResult<Bound<'_, PyArray2<u8>>> {
    let rows = points.len();
    PyArray1::from_vec(py, points.into_flattened()).reshape([rows, 32])
}

#[pyfunction]
fn cpu_features(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let paths = PyDict::new(py);
    for (kernel, path) in FEATURES.paths() {
        paths.set_item(kernel, path)?;
    }
    Ok(paths)
}

#[pymodule(gil_used = false)]
mod _core {
    #[pymodule_export]
    use super::comparison::{
        deal_bit_products, deal_tables, look_up, mask_bits, mask_level, merge_level, multiply_bits,
        spread_bits,
    };
    #[pymodule_export]
    use super::flow::{grow_trees, join_rows, score_trees};
    #[pymodule_export]
    use super::memory::keep_memory;
    #[pymodule_export]
    use super::part::{Dealt, Layout, Run};
    #[pymodule_export]
    use super::points::{deal_point_keys, deal_prefixes, point_shares, prefix_signs};
    #[pymodule_export]
    use super::scaled::{deal_scaled, draw_lines, mask_scaled, scale_words};
    #[pymodule_export]
    use super::tables::{
        deal_digits, deal_rotated, deal_shuffle, deal_units, entries, equal_digits, mask_rows,
        one_hot, place_rows, shuffle_order,
    };
    #[pymodule_export]
    use super::ticks::{
        deal_bit_words, deal_floor, deal_masked, deal_products, deal_wraps, encode_words,
        floor_words, inside, mask_reals, mask_span, mask_tops, mask_words, multiply_packed,
        multiply_reals, multiply_words, reals_inside, truncate_words, unmask_bits,
    };
    #[pymodule_export]
    use super::waves::{deal_waves, sum_waves};
    #[pymodule_export]
    use super::wire::{Tally, blank};
    #[pymodule_export]
    use super::{PsiKey, cpu_features, matmul_u64, pack_words, stream, unpack_words};
}
