//! Distributed point functions.

use moiety_core::dpf::{self, Keys, Masked};
use moiety_core::point_keys;
use numpy::{PyArray2, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::part::{Bits, Dealt, bit_rows, bits, message};
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
