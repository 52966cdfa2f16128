//! Sums of sines.

use moiety_core::waves::{self, Sum, Waves};
use numpy::PyReadonlyArray1;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::part::{Dealt, Words, message, words};
use crate::{FEATURES, plain, refuse};

/// (bits of an angle, multiples, fraction bits of a wave, bits of a share).
pub(crate) type Form = (u32, usize, u32, u32);

pub(crate) fn form((period, terms, fraction, ring): Form) -> Waves {
    Waves { period, terms, fraction, ring }
}

#[pyfunction]
pub(crate) fn deal_waves<'py>(
    py: Python<'py>,
    first: &Dealt,
    second: &Dealt,
    field: usize,
    shape: (usize, u32),
    waves: Form,
) -> PyResult<Bound<'py, PyBytes>> {
    let (count, bits) = shape;
    let waves = form(waves);
    message(py, waves::waves_len(count, waves).map_err(refuse)?, |out| {
        let parts = (&first.0, &second.0);
        waves::deal_waves(parts, (field, bits), (count, waves), out, *FEATURES)
    })
}

#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "as Python passes them")]
pub(crate) fn sum_waves<'py>(
    py: Python<'py>,
    own: PyBackedBytes,
    theirs: PyBackedBytes,
    dealt: &Dealt,
    field: usize,
    shape: (usize, u32),
    waves: Form,
    amplitudes: PyReadonlyArray1<'py, f64>,
    offset: u64,
) -> PyResult<Words<'py>> {
    let (count, bits) = shape;
    let amplitudes = plain(&amplitudes, "amplitudes")?;
    let messages = (&own[..], &theirs[..]);
    let sum = Sum { messages, bits, field, waves: form(waves), amplitudes, offset };
    words(py, count, |out| waves::sum_waves(sum, &dealt.0, out, *FEATURES))
}
