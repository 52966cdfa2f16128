//! What the wire needs: the tally of one direction, and memory to receive into.

#![expect(unsafe_code, reason = "reads memory in place, and makes bytes before they are written")]

use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use moiety_core::tally;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::ffi::{Py_ssize_t, PyBytes_AsString, PyBytes_FromStringAndSize, PyObject};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// From so many bytes on, hashing takes longer than giving the interpreter away and back.
const LARGE: usize = 1 << 14;

#[derive(Default)]
struct State {
    hash: tally::Tally,
    messages: u64,
    size: u64,
}

#[derive(Default)]
#[pyclass(frozen, module = "moiety._core")]
pub(crate) struct Tally(Mutex<State>);

#[pymethods]
impl Tally {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    fn add(&self, py: Python<'_>, header: &[u8], payload: &Bound<'_, PyAny>) -> PyResult<()> {
        {
            let mut state = self.state();
            state.messages += 1;
            state.hash.update(header);
        }
        self.extend(py, payload)
    }

    fn extend(&self, py: Python<'_>, piece: &Bound<'_, PyAny>) -> PyResult<()> {
        if let Ok(bytes) = piece.cast::<PyBytes>() {
            self.append(py, bytes.as_bytes());
            return Ok(());
        }
        let buffer = PyBuffer::<u8>::get(piece)?;
        let gaps = || PyValueError::new_err("piece: the memory is not contiguous");
        let memory = buffer.as_slice_ptr().ok_or_else(gaps)?;
        // SAFETY: `buffer` keeps the memory where it is until this function returns, and the caller
        // has promised that nobody writes to it meanwhile.
        self.append(py, unsafe { memory.as_ref() });
        Ok(())
    }

    #[getter]
    fn messages(&self) -> u64 {
        self.state().messages
    }

    #[getter]
    fn size(&self) -> u64 {
        self.state().size
    }

    #[getter]
    fn hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.state().hash.hash())
    }
}

impl Tally {
    /// Whoever holds the lock does not wait for the interpreter.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, py: Python<'_>, data: &[u8]) {
        let append = || {
            let mut state = self.state();
            state.size += data.len() as u64;
            state.hash.update(data);
        };
        if data.len() < LARGE { append() } else { py.detach(append) }
    }
}

#[pyfunction]
pub(crate) fn blank(py: Python<'_>, length: usize) -> PyResult<Bound<'_, PyBytes>> {
    let size = Py_ssize_t::try_from(length)?;
    // SAFETY: without a source the call allocates and copies nothing; it returns a new reference to
    // bytes, or null and an exception.
    let bytes =
        unsafe { Bound::from_owned_ptr_or_err(py, PyBytes_FromStringAndSize(ptr::null(), size))? };
    prefer_large_pages(bytes.as_ptr(), length);
    Ok(bytes.cast_into()?)
}

/// Where large memory is fresh, a fault for each small page takes longer than to fill it.
#[cfg(target_os = "linux")]
fn prefer_large_pages(bytes: *mut PyObject, length: usize) {
    const LARGEST_SMALL_PAGE: usize = 1 << 16;
    if length < 1 << 22 {
        return;
    }
    // SAFETY: `bytes` are bytes of this length. The range lies within them, and advice about it
    // changes nothing in it.
    unsafe {
        let begin = PyBytes_AsString(bytes);
        let skipped = begin.align_offset(LARGEST_SMALL_PAGE);
        libc::madvise(begin.add(skipped).cast(), length - skipped, libc::MADV_HUGEPAGE);
    }
}

#[cfg(not(target_os = "linux"))]
fn prefer_large_pages(_: *mut PyObject, _: usize) {}
