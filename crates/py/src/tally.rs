//! What went one way over a connection, as Python counts it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use moiety_core::tally;
use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// From so many bytes on, hashing takes longer than giving the interpreter away and back.
const LARGE: usize = 1 << 14;

#[derive(Default)]
struct State {
    hash: tally::Tally,
    messages: u64,
    bytes: u64,
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
        self.append(py, &PyBuffer::<u8>::get(piece)?.to_vec(py)?);
        Ok(())
    }

    #[getter]
    fn messages(&self) -> u64 {
        self.state().messages
    }

    #[getter]
    fn bytes(&self) -> u64 {
        self.state().bytes
    }

    #[getter]
    fn hash<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.state().hash.hash())
    }
}

impl Tally {
    /// Whoever holds the lock never waits for the interpreter.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, py: Python<'_>, data: &[u8]) {
        let append = || {
            let mut state = self.state();
            state.bytes += data.len() as u64;
            state.hash.update(data);
        };
        if data.len() < LARGE { append() } else { py.detach(append) }
    }
}
