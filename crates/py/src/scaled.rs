//! Products of shared bits with shared words, and lines.

use moiety_core::scaled::{self, Axis, Lines, Opening};
use moiety_core::scaled_deal;
use moiety_core::{bits::packed_len, gates, products, products::Masking};
use numpy::{PyReadonlyArray1, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::part::{Dealt, Words, message, words};
use crate::{FEATURES, plain, refuse};

/// (size, how far bits lie apart, how far words do).
fn axes_of(axes: Vec<(usize, usize, usize)>) -> Vec<Axis> {
    axes.into_iter().map(|(size, bits, words)| Axis { size, bits, words }).collect()
}

#[pyfunction]
pub(crate) fn deal_scaled<'py>(
    py: Python<'py>,
    first: &Dealt,
    second: &Dealt,
    shape: (usize, usize),
    ring: u32,
    axes: Vec<(usize, usize, usize)>,
) -> PyResult<Bound<'py, PyBytes>> {
    let (axes, opening) = (axes_of(axes), Opening { bits: shape.0, words: shape.1, ring });
    message(py, scaled_deal::scaled_len(opening, &axes).map_err(refuse)?, |out| {
        scaled_deal::deal_scaled((&first.0, &second.0), (opening, &axes), out, *FEATURES)
    })
}

#[pyfunction]
pub(crate) fn mask_scaled<'py>(
    py: Python<'py>,
    flags: PyReadonlyArray1<'py, u8>,
    x: PyReadonlyArray1<'py, u64>,
    dealt: &Dealt,
    ring: u32,
) -> PyResult<Bound<'py, PyBytes>> {
    let (flags, x) = (plain(&flags, "bits")?, plain(&x, "x")?);
    let bit = dealt.0.share(0, flags.len(), 1).map_err(refuse)?;
    let mask = dealt.0.share(1, x.len(), ring).map_err(refuse)?;
    let border = flags.len().div_ceil(8);
    let masking = Masking { subtract: true, offset: 0, bits: ring };
    message(py, border + packed_len(x.len(), ring).map_err(refuse)?, |out| {
        let (bits, rest) = out.split_at_mut(border);
        gates::mask_bits(&[flags], &[bit], bits, *FEATURES)?;
        products::mask_words(&[x], &[mask], masking, rest, *FEATURES)
    })
}

#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "as Python passes them")]
pub(crate) fn scale_words<'py>(
    py: Python<'py>,
    own: PyBackedBytes,
    theirs: PyBackedBytes,
    dealt: &Dealt,
    shape: (usize, usize),
    ring: u32,
    axes: Vec<(usize, usize, usize)>,
    first: bool,
) -> PyResult<Words<'py>> {
    let axes = axes_of(axes);
    let count = axes.iter().try_fold(1usize, |count, axis| count.checked_mul(axis.size));
    let count = count.ok_or(moiety_core::Error::StreamEnd).map_err(refuse)?;
    let opening = Opening { bits: shape.0, words: shape.1, ring };
    words(py, count, |out| {
        scaled::scale((&own, &theirs), (&dealt.0, opening, first), &axes, out, *FEATURES)
    })
}

#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "as Python passes them")]
pub(crate) fn draw_lines<'py>(
    py: Python<'py>,
    own: PyBackedBytes,
    theirs: PyBackedBytes,
    dealt: &Dealt,
    x: PyReadonlyArray1<'py, u64>,
    ring: u32,
    slopes: PyReadonlyArray1<'py, u64>,
    offsets: PyReadonlyArray1<'py, u64>,
    first: bool,
) -> PyResult<Words<'py>> {
    let lines = Lines { slopes: plain(&slopes, "slopes")?, offsets: plain(&offsets, "offsets")? };
    let (count, x) = (x.len(), plain(&x, "x")?);
    words(py, count, |out| {
        scaled::lines((&own, &theirs), (&dealt.0, ring, first), (x, lines), out, *FEATURES)
    })
}
