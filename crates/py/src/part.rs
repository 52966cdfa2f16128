//! A party's dealt part as Python holds it, and where kernels write.

#![expect(unsafe_code, reason = "results are not cleared before they are written")]

use std::sync::{Arc, OnceLock};

use moiety_core::dealt::{self, Origin};
use moiety_core::gates;
use moiety_core::keys::StreamKey;
use moiety_core::prg::Prg;
use numpy::{PyArray1, PyArray2, PyArrayMethods};
use pyo3::exceptions::{PyMemoryError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::{FEATURES, refuse, stream_key};

pub(crate) type Words<'py> = Bound<'py, PyArray1<u64>>;
pub(crate) type Bits<'py> = Bound<'py, PyArray1<u8>>;

/// Corrections, when they are there.
#[derive(Clone, Default)]
pub(crate) struct Sent(Arc<OnceLock<PyBackedBytes>>);

impl Sent {
    fn of(corrections: Option<PyBackedBytes>) -> Self {
        Self(Arc::new(corrections.map_or_else(OnceLock::new, OnceLock::from)))
    }
}

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        self.0.get().map(|data| &data[..]).unwrap_or_default()
    }
}

/// A correlation's part; parts of one run share what was sent.
#[pyclass(frozen, module = "moiety._core")]
pub(crate) struct Dealt(pub(crate) dealt::Dealt<Sent>);

#[pymethods]
impl Dealt {
    #[new]
    #[pyo3(signature = (key, stream, offset, fields, corrections=None, begin=0))]
    fn new(
        key: &[u8],
        stream: u64,
        offset: u64,
        fields: Vec<(usize, bool)>,
        corrections: Option<PyBackedBytes>,
        begin: usize,
    ) -> PyResult<Self> {
        let key: StreamKey = stream_key(key)?;
        let origin = Origin { key: &key, stream, offset };
        let sent = (Sent::of(corrections), begin);
        dealt::Dealt::new(origin, &fields, sent, *FEATURES).map(Self).map_err(refuse)
    }

    #[getter]
    fn end(&self) -> u64 {
        self.0.end()
    }

    fn words<'py>(
        &self,
        py: Python<'py>,
        field: usize,
        count: usize,
        bits: u32,
    ) -> PyResult<Words<'py>> {
        let share = self.0.share(field, count, bits).map_err(refuse)?;
        words(py, count, |out| {
            share.write_words(out);
            Ok(())
        })
    }

    fn bits<'py>(&self, py: Python<'py>, field: usize, count: usize) -> PyResult<Bits<'py>> {
        let share = self.0.share(field, count, 1).map_err(refuse)?;
        bits(py, count, |out| {
            gates::spread(&share.row(count), out, *FEATURES);
            Ok(())
        })
    }

    fn row<'py>(&self, py: Python<'py>, field: usize, count: usize) -> PyResult<Words<'py>> {
        let share = self.0.share(field, count, 1).map_err(refuse)?;
        Ok(PyArray1::from_vec(py, py.detach(|| share.row(count))))
    }

    #[expect(clippy::unused_self, reason = "a repr hides its object")]
    fn __repr__(&self) -> &'static str {
        "Dealt(hidden)"
    }
}

/// One correlation's part: (stream, first byte of corrections, fields of (bits, corrected)).
type Placed = (u64, usize, Vec<(usize, bool)>);

/// Where the parts of all correlations of a run lie.
#[pyclass(frozen, module = "moiety._core")]
pub(crate) struct Layout(Vec<Placed>);

#[pymethods]
impl Layout {
    #[new]
    fn new(parts: Vec<Placed>) -> Self {
        Self(parts)
    }

    fn dealt(&self, py: Python<'_>, key: &[u8]) -> PyResult<Run> {
        let (prg, sent) = (Arc::new(Prg::new(&stream_key(key)?, *FEATURES)), Sent::default());
        let part = |(stream, begin, fields): &Placed| {
            let drawn = (Arc::clone(&prg), *stream, 0);
            let part = dealt::Dealt::drawn(drawn, fields, (sent.clone(), *begin), *FEATURES);
            Py::new(py, Dealt(part.map_err(refuse)?))
        };
        let parts = self.0.iter().map(part).collect::<PyResult<_>>()?;
        Ok(Run { parts, sent })
    }
}

/// All parts of one run.
#[pyclass(frozen, module = "moiety._core")]
pub(crate) struct Run {
    parts: Vec<Py<Dealt>>,
    sent: Sent,
}

#[pymethods]
impl Run {
    #[getter]
    fn parts(&self, py: Python<'_>) -> Vec<Py<Dealt>> {
        self.parts.iter().map(|part| part.clone_ref(py)).collect()
    }

    fn complete(&self, corrections: PyBackedBytes) -> PyResult<()> {
        if self.sent.0.set(corrections).is_err() {
            return Err(PyValueError::new_err("a run's corrections came twice"));
        }
        self.parts.iter().try_for_each(|part| part.get().0.check()).map_err(refuse)
    }

    #[expect(clippy::unused_self, reason = "a repr hides its object")]
    fn __repr__(&self) -> &'static str {
        "Run(hidden)"
    }
}

/// New bytes of a known length, all of which `fill` writes, without the interpreter.
///
/// Nothing is cleared first: that would take as long again as many a kernel.
pub(crate) fn message(
    py: Python<'_>,
    length: usize,
    fill: impl FnOnce(&mut [u8]) -> Result<(), moiety_core::Error> + Send,
) -> PyResult<Bound<'_, PyBytes>> {
    let size = isize::try_from(length).map_err(|_| PyMemoryError::new_err("a message"))?;
    // SAFETY: without a source, the object is new, of that size, and nobody else holds it.
    let message = unsafe {
        let made = ffi::PyBytes_FromStringAndSize(std::ptr::null(), size);
        Bound::from_owned_ptr_or_err(py, made)?.cast_into_unchecked::<PyBytes>()
    };
    // SAFETY: the bytes of that object; the kernel writes them all before anybody reads them.
    let out = unsafe {
        let begin = ffi::PyBytes_AsString(message.as_ptr());
        std::slice::from_raw_parts_mut(begin.cast::<u8>(), length)
    };
    py.detach(|| fill(out)).map_err(refuse)?;
    Ok(message)
}

/// New words, all of which `fill` writes, without the interpreter; `NumPy` owns the memory.
pub(crate) fn words(
    py: Python<'_>,
    count: usize,
    fill: impl FnOnce(&mut [u64]) -> Result<(), moiety_core::Error> + Send,
) -> PyResult<Words<'_>> {
    // SAFETY: `fill` writes all of it, and only then is it seen.
    let array = unsafe { PyArray1::new(py, count, false) };
    filled(py, array.readwrite().as_slice_mut()?, fill)?;
    Ok(array)
}

/// The same for bits.
pub(crate) fn bits(
    py: Python<'_>,
    count: usize,
    fill: impl FnOnce(&mut [u8]) -> Result<(), moiety_core::Error> + Send,
) -> PyResult<Bits<'_>> {
    // SAFETY: `fill` writes all of it, and only then is it seen.
    let array = unsafe { PyArray1::new(py, count, false) };
    filled(py, array.readwrite().as_slice_mut()?, fill)?;
    Ok(array)
}

/// The same for bits of several rows, as bytes.
pub(crate) fn bit_rows(
    py: Python<'_>,
    shape: [usize; 2],
    fill: impl FnOnce(&mut [u8]) -> Result<(), moiety_core::Error> + Send,
) -> PyResult<Bound<'_, PyArray2<u8>>> {
    // SAFETY: `fill` writes all of it, and only then is it seen.
    let array = unsafe { PyArray2::new(py, shape, false) };
    filled(py, array.readwrite().as_slice_mut()?, fill)?;
    Ok(array)
}

/// The same for rows of bits, 64 a word.
pub(crate) fn rows(
    py: Python<'_>,
    shape: [usize; 2],
    fill: impl FnOnce(&mut [u64]) -> Result<(), moiety_core::Error> + Send,
) -> PyResult<Bound<'_, PyArray2<u64>>> {
    // SAFETY: `fill` writes all of it, and only then is it seen.
    let array = unsafe { PyArray2::new(py, shape, false) };
    filled(py, array.readwrite().as_slice_mut()?, fill)?;
    Ok(array)
}

fn filled<T: Send>(
    py: Python<'_>,
    out: &mut [T],
    fill: impl FnOnce(&mut [T]) -> Result<(), moiety_core::Error> + Send,
) -> PyResult<()> {
    py.detach(|| fill(out)).map_err(refuse)
}
