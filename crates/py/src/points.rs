//! Distributed point functions.

use moiety_core::compare::{self, Comparison};
use moiety_core::dpf::{self, Keys, Masked};
use moiety_core::{point_keys, waves};
use numpy::{PyArray2, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::part::{Bits, Dealt, bit_rows, bits, message};
use crate::waves::{Form, form};
use crate::{FEATURES, plain, refuse};

#[pyfunction]
pub(crate) fn deal_point_keys<'py>(
    py: Python<'py>,
    first: &Dealt,
    second: &Dealt,
    count: usize,
    ring: u32,
    domain: u32,
) -> PyResult<Bound<'py, PyBytes>> {
    let keys = Keys { count, domain };
    message(py, point_keys::keys_len(keys).map_err(refuse)?, |out| {
        point_keys::deal_keys((&first.0, &second.0), (keys, ring), out, *FEATURES)
    })
}

#[pyfunction]
#[pyo3(signature = (first, second, count, ring, waves=None))]
pub(crate) fn deal_prefixes<'py>(
    py: Python<'py>,
    first: &Dealt,
    second: &Dealt,
    count: usize,
    ring: u32,
    waves: Option<Form>,
) -> PyResult<Bound<'py, PyBytes>> {
    let keys = Keys { count, domain: ring.saturating_sub(1) };
    let top = Comparison { count, ring, bits: 0, digit: 1 };
    let waves = waves.map(form);
    let ends = [
        compare::tables_len(top, true).map_err(refuse)?,
        waves.map_or(Ok(0), |waves| waves::waves_len(count, waves)).map_err(refuse)?,
        point_keys::keys_len(keys).map_err(refuse)?,
    ];
    message(py, ends.iter().sum(), |out| {
        let parts = (&first.0, &second.0);
        let (tops, rest) = out.split_at_mut(ends[0]);
        let (sines, words) = rest.split_at_mut(ends[1]);
        compare::deal_tables(parts, (top, 4), true, tops, *FEATURES)?;
        if let Some(waves) = waves {
            waves::deal_waves(parts, (4, ring), (count, waves), sines, *FEATURES)?;
        }
        point_keys::deal_keys(parts, (keys, ring), words, *FEATURES)
    })
}

#[pyfunction]
pub(crate) fn point_shares<'py>(
    py: Python<'py>,
    own: PyBackedBytes,
    theirs: PyBackedBytes,
    dealt: &Dealt,
    field: usize,
    shape: (usize, u32),
    first: bool,
) -> PyResult<Bits<'py>> {
    let (count, ring) = shape;
    let masked = Masked { messages: (&own, &theirs), count, ring, field, first };
    bits(py, count, |out| dpf::points(masked, &dealt.0, out, *FEATURES))
}

#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "as Python passes them")]
pub(crate) fn prefix_signs<'py>(
    py: Python<'py>,
    own: PyBackedBytes,
    theirs: PyBackedBytes,
    dealt: &Dealt,
    field: usize,
    shape: (usize, u32),
    shifts: PyReadonlyArray1<'py, u64>,
    first: bool,
) -> PyResult<Bound<'py, PyArray2<u8>>> {
    let (count, ring) = shape;
    let masked = Masked { messages: (&own, &theirs), count, ring, field, first };
    let shifts = plain(&shifts, "shifts")?;
    bit_rows(py, [shifts.len(), count], |out| dpf::signs(masked, &dealt.0, shifts, out, *FEATURES))
}
