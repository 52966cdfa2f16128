//! Ticks of protocols on words: what is sent, and what comes of what was received.

use moiety_core::bits::packed_len;
use moiety_core::compare::{self, Comparison};
use moiety_core::fixed;
use moiety_core::floor::{self, Floor};
use moiety_core::gates::{self, Combined};
use moiety_core::owned::{self, Owned};
use moiety_core::products::{self, Masking};
use moiety_core::reals;
use moiety_core::ring::Shape;
use moiety_core::truncation::{self, Wrap};
use numpy::{PyArray2, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::part::{Dealt, Words, message, rows as matrix, words};
use crate::{FEATURES, plain, refuse};

#[pyfunction]
#[pyo3(signature = (parts, dealt, field, bits, subtract=false, offset=0))]
pub(crate) fn mask_words<'py>(
    py: Python<'py>,
    parts: Vec<PyReadonlyArray1<'py, u64>>,
    dealt: &Dealt,
    field: usize,
    bits: u32,
    subtract: bool,
    offset: u64,
) -> PyResult<Bound<'py, PyBytes>> {
    let parts = parts.iter().map(|part| plain(part, "parts")).collect::<PyResult<Vec<_>>>()?;
    let share = |(index, part): (usize, &&[u64])| dealt.0.share(field + index, part.len(), bits);
    let masks = parts.iter().enumerate().map(share).collect::<Result<Vec<_>, _>>();
    let masks = masks.map_err(refuse)?;
    let count = parts.iter().map(|part| part.len()).sum();
    let masking = Masking { subtract, offset, bits };
    message(py, packed_len(count, bits).map_err(refuse)?, |out| {
        products::mask_words(&parts, &masks, masking, out, *FEATURES)
    })
}

#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "as Python passes them")]
pub(crate) fn mask_span<'py>(
    py: Python<'py>,
    x: PyReadonlyArray1<'py, u64>,
    dealt: &Dealt,
    field: usize,
    bits: u32,
    first: usize,
    count: usize,
    subtract: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    let x = plain(&x, "x")?;
    let mask = dealt.0.share(field, x.len(), bits).map_err(refuse)?;
    let last = first.saturating_add(count).min(x.len());
    let words = x.get(first..last).unwrap_or_default();
    let masking = Masking { subtract, offset: 0, bits };
    message(py, packed_len(words.len(), bits).map_err(refuse)?, |out| {
        products::mask_span(words, (mask, first), masking, out, *FEATURES)
    })
}

#[pyfunction]
#[pyo3(signature = (data, bits, rows, b, threads=0))]
pub(crate) fn multiply_packed<'py>(
    py: Python<'py>,
    data: PyBackedBytes,
    bits: u32,
    rows: usize,
    b: PyReadonlyArray2<'py, u64>,
    threads: usize,
) -> PyResult<Bound<'py, PyArray2<u64>>> {
    let shape = Shape { m: rows, k: b.shape()[0], n: b.shape()[1] };
    let b = plain(&b, "b")?;
    let threads = if threads == 0 { FEATURES.most_threads() } else { threads };
    matrix(py, [shape.m, shape.n], |out| {
        owned::multiply_packed((&data, bits), b, out, (shape, threads), *FEATURES)
    })
}

#[pyfunction]
pub(crate) fn encode_words<'py>(
    py: Python<'py>,
    values: PyReadonlyArray1<'py, f64>,
    fraction: u32,
) -> PyResult<Words<'py>> {
    let values = plain(&values, "values")?;
    words(py, values.len(), |out| fixed::encode(values, fraction, out, *FEATURES))
}

#[pyfunction]
pub(crate) fn inside(
    py: Python<'_>,
    words: PyReadonlyArray1<'_, i64>,
    low: i64,
    high: i64,
) -> PyResult<bool> {
    let words = plain(&words, "words")?;
    Ok(py.detach(|| fixed::inside(words, (low, high), *FEATURES)))
}

#[pyfunction]
pub(crate) fn reals_inside(
    py: Python<'_>,
    values: PyReadonlyArray1<'_, f64>,
    low: f64,
    high: f64,
) -> PyResult<bool> {
    let values = plain(&values, "values")?;
    Ok(py.detach(|| fixed::inside(values, (low, high), *FEATURES)))
}

#[pyfunction]
#[expect(clippy::too_many_arguments, reason = "as Python passes them")]
pub(crate) fn mask_reals<'py>(
    py: Python<'py>,
    values: PyReadonlyArray1<'py, f64>,
    fraction: u32,
    dealt: &Dealt,
    field: usize,
    bits: u32,
    first: usize,
    count: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    let values = plain(&values, "values")?;
    let mask = dealt.0.share(field, values.len(), bits).map_err(refuse)?;
    let last = first.saturating_add(count).min(values.len());
    let values = values.get(first..last).unwrap_or_default();
    message(py, packed_len(values.len(), bits).map_err(refuse)?, |out| {
        reals::mask_span(values, (fraction, bits), (mask, first), out, *FEATURES)
    })
}

#[pyfunction]
pub(crate) fn multiply_reals<'py>(
    py: Python<'py>,
    values: PyReadonlyArray2<'py, f64>,
    fraction: u32,
    column: PyReadonlyArray1<'py, u64>,
) -> PyResult<Words<'py>> {
    let (rows, threads) = (values.shape()[0], FEATURES.most_threads());
    let (values, column) = (plain(&values, "values")?, plain(&column, "column")?);
    words(py, rows, |out| reals::multiply((values, fraction), column, out, threads, *FEATURES))
}

#[pyfunction]
pub(crate) fn multiply_words<'py>(
    py: Python<'py>,
    own: PyBackedBytes,
    theirs: PyBackedBytes,
    dealt: &Dealt,
    count: usize,
    bits: u32,
    first: bool,
) -> PyResult<Words<'py>> {
    let triple = dealt.0.shares(0, [(count, bits); 3]).map_err(refuse)?;
    words(py, count, |out| products::multiply(&own, &theirs, triple, (first, bits), out, *FEATURES))
}

#[pyfunction]
pub(crate) fn deal_products<'py>(
    py: Python<'py>,
    first: &Dealt,
    second: &Dealt,
    count: usize,
    bits: u32,
) -> PyResult<Bound<'py, PyBytes>> {
    let one = first.0.shares(0, [(count, bits); 3]).map_err(refuse)?;
    let other = second.0.shares(0, [(count, bits); 2]).map_err(refuse)?;
    message(py, packed_len(count, bits).map_err(refuse)?, |out| {
        products::deal_products(one, other, (count, bits), out, *FEATURES)
    })
}

/// The mask of a table: a part, (rows, bits of a word), and the first row that is meant.
type Mask<'a> = (PyRef<'a, Dealt>, (usize, u32, usize));

#[pyfunction]
pub(crate) fn deal_masked<'py>(
    py: Python<'py>,
    mask: Mask<'py>,
    drawn: (PyRef<'py, Dealt>, PyRef<'py, Dealt>),
    shape: (usize, usize, usize),
    bits: u32,
    transposed: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    let (m, k, n) = shape;
    let (part, (rows, width, row)) = &mask;
    let (inner, outer) = if transposed { (m, k) } else { (k, m) };
    if row.checked_add(m).is_none_or(|end| end > *rows) {
        return Err(PyValueError::new_err(format!(
            "rows {row} to {row} + {m} of a mask of {rows}"
        )));
    }
    let masks = Owned {
        u: part.0.share(0, rows.saturating_mul(k), *width).map_err(refuse)?,
        row: *row,
        v: drawn.0.0.share(0, inner.saturating_mul(n), bits).map_err(refuse)?,
        share: drawn.1.0.share(1, outer.saturating_mul(n), bits).map_err(refuse)?,
        transposed,
    };
    message(py, packed_len(outer.saturating_mul(n), bits).map_err(refuse)?, |out| {
        masks.deal(Shape { m, k, n }, bits, out, *FEATURES)
    })
}

#[pyfunction]
#[pyo3(signature = (x, dealt, field, offset, ring=64))]
pub(crate) fn mask_tops<'py>(
    py: Python<'py>,
    x: PyReadonlyArray1<'py, u64>,
    dealt: &Dealt,
    field: usize,
    offset: u64,
    ring: u32,
) -> PyResult<Bound<'py, PyBytes>> {
    let x = plain(&x, "x")?;
    let mask = dealt.0.share(field, x.len(), 1).map_err(refuse)?;
    message(py, x.len().div_ceil(8), |out| {
        truncation::mask_tops(x, mask, (offset, ring), out, *FEATURES)
    })
}

#[pyfunction]
#[pyo3(signature = (x, own, theirs, dealt, shift, first, ring=64))]
#[expect(clippy::too_many_arguments, reason = "as Python passes them")]
pub(crate) fn truncate_words<'py>(
    py: Python<'py>,
    x: PyReadonlyArray1<'py, u64>,
    own: PyBackedBytes,
    theirs: PyBackedBytes,
    dealt: &Dealt,
    shift: u32,
    first: bool,
    ring: u32,
) -> PyResult<Words<'py>> {
    let x = plain(&x, "x")?;
    let mine = dealt.0.share(usize::from(!first), x.len(), 1).map_err(refuse)?;
    let product = dealt.0.share(2, x.len(), 64u32.wrapping_sub(ring).wrapping_add(shift));
    let wrap = Wrap { mine, product: product.map_err(refuse)?, ring, shift, first };
    words(py, x.len(), |out| truncation::truncate(x, &own, &theirs, wrap, out, *FEATURES))
}

#[pyfunction]
pub(crate) fn unmask_bits<'py>(
    py: Python<'py>,
    own: PyBackedBytes,
    theirs: PyBackedBytes,
    dealt: &Dealt,
    count: usize,
    first: bool,
) -> PyResult<Words<'py>> {
    let word = dealt.0.share(1, count, 64).map_err(refuse)?;
    words(py, count, |out| truncation::unmask(&own, &theirs, word, first, out, *FEATURES))
}

#[pyfunction]
pub(crate) fn deal_bit_words<'py>(
    py: Python<'py>,
    first: &Dealt,
    second: &Dealt,
    count: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    let [bit] = first.0.shares(0, [(count, 1)]).map_err(refuse)?;
    let [other] = second.0.shares(0, [(count, 1)]).map_err(refuse)?;
    let word = first.0.share(1, count, 64).map_err(refuse)?;
    message(py, packed_len(count, 64).map_err(refuse)?, |out| {
        gates::deal_bit_words(([bit, other], Combined::Shares), word, (count, 64), out, *FEATURES)
    })
}

#[pyfunction]
pub(crate) fn deal_wraps<'py>(
    py: Python<'py>,
    first: &Dealt,
    second: &Dealt,
    count: usize,
    shift: u32,
) -> PyResult<Bound<'py, PyBytes>> {
    let one = first.0.share(0, count, 1).map_err(refuse)?;
    let other = second.0.share(1, count, 1).map_err(refuse)?;
    let word = first.0.share(2, count, shift).map_err(refuse)?;
    let factors = ([one, other], Combined::Factors);
    message(py, packed_len(count, shift).map_err(refuse)?, |out| {
        gates::deal_bit_words(factors, word, (count, shift), out, *FEATURES)
    })
}

#[pyfunction]
pub(crate) fn deal_floor<'py>(
    py: Python<'py>,
    first: &Dealt,
    second: &Dealt,
    shape: (usize, u32, u32, u32),
) -> PyResult<Bound<'py, PyBytes>> {
    let (count, ring, shift, digit) = shape;
    let floor = Floor { count, ring, shift };
    let tables = Comparison { count, ring, bits: shift, digit };
    let border = floor::floor_words_len(floor).map_err(refuse)?;
    let after = compare::tables_len(tables, false).map_err(refuse)?;
    message(py, border + after, |out| {
        let (parts, (words, rest)) = ((&first.0, &second.0), out.split_at_mut(border));
        floor::deal_floor_words(parts, floor, words, *FEATURES)?;
        compare::deal_tables(parts, (tables, 3), false, rest, *FEATURES)
    })
}

#[pyfunction]
pub(crate) fn floor_words<'py>(
    py: Python<'py>,
    own: PyBackedBytes,
    theirs: PyBackedBytes,
    dealt: &Dealt,
    borrow: PyReadonlyArray1<'py, u64>,
    shape: (usize, u32, u32),
    first: bool,
) -> PyResult<Words<'py>> {
    let (count, ring, shift) = shape;
    let (floor, borrow) = (Floor { count, ring, shift }, plain(&borrow, "borrow")?);
    words(py, count, |out| {
        let opened = (&own[..], &theirs[..], borrow);
        floor::floor_words(opened, (&dealt.0, first), floor, out, *FEATURES)
    })
}
