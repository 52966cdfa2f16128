//! Dealt tables that are read in one place, and rows in a secret order.

use moiety_core::equal::{self, Digits};
use moiety_core::lookup::{self, Places};
use moiety_core::shuffle::{self, Rows};
use numpy::{PyArray2, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::part::{Dealt, Words, bit_rows, message, rows, words};
use crate::{FEATURES, plain, refuse};

/// (places, bits of a place).
type Shape = (usize, u32);

fn places((count, bits): Shape) -> Places {
    Places { count, bits }
}

#[pyfunction]
pub(crate) fn deal_rotated<'py>(
    py: Python<'py>,
    first: &Dealt,
    second: &Dealt,
    shape: Shape,
    ring: u32,
    table: PyReadonlyArray1<'py, u64>,
) -> PyResult<Bound<'py, PyBytes>> {
    let (places, table) = (places(shape), plain(&table, "table")?);
    message(py, lookup::tables_len(places, ring).map_err(refuse)?, |out| {
        lookup::deal_rotated((&first.0, &second.0), (places, ring), table, out, *FEATURES)
    })
}

#[pyfunction]
pub(crate) fn entries<'py>(
    py: Python<'py>,
    own: PyBackedBytes,
    theirs: PyBackedBytes,
    dealt: &Dealt,
    shape: Shape,
    ring: u32,
) -> PyResult<Words<'py>> {
    let places = places(shape);
    words(py, shape.0, |out| {
        lookup::entries((&own, &theirs), &dealt.0, (places, ring), out, *FEATURES)
    })
}

#[pyfunction]
pub(crate) fn deal_units<'py>(
    py: Python<'py>,
    first: &Dealt,
    second: &Dealt,
    shape: Shape,
) -> PyResult<Bound<'py, PyBytes>> {
    let places = places(shape);
    message(py, lookup::units_len(places).map_err(refuse)?, |out| {
        lookup::deal_units((&first.0, &second.0), places, out, *FEATURES)
    })
}

#[pyfunction]
pub(crate) fn one_hot<'py>(
    py: Python<'py>,
    own: PyBackedBytes,
    theirs: PyBackedBytes,
    dealt: &Dealt,
    shape: Shape,
) -> PyResult<Bound<'py, PyArray2<u8>>> {
    let places = places(shape);
    bit_rows(py, [shape.0, places.size().map_err(refuse)?], |out| {
        lookup::one_hot((&own, &theirs), &dealt.0, places, out, *FEATURES)
    })
}

/// (words, bits of a word, bits of a digit).
type DigitShape = (usize, u32, u32);

fn digits((count, ring, digit): DigitShape) -> Digits {
    Digits { count, ring, digit }
}

#[pyfunction]
pub(crate) fn deal_digits<'py>(
    py: Python<'py>,
    first: &Dealt,
    second: &Dealt,
    shape: DigitShape,
) -> PyResult<Bound<'py, PyBytes>> {
    let shape = digits(shape);
    message(py, equal::digits_len(shape).map_err(refuse)?, |out| {
        equal::deal_digits((&first.0, &second.0), shape, out, *FEATURES)
    })
}

#[pyfunction]
pub(crate) fn equal_digits<'py>(
    py: Python<'py>,
    own: PyBackedBytes,
    theirs: PyBackedBytes,
    dealt: &Dealt,
    shape: DigitShape,
) -> PyResult<Bound<'py, PyArray2<u64>>> {
    let shape = digits(shape);
    rows(py, [shape.number().map_err(refuse)?, shape.count.div_ceil(64)], |out| {
        equal::leaves((&own, &theirs), &dealt.0, shape, out, *FEATURES)
    })
}

/// (rows, columns, bits of a word in a message).
type RowShape = (usize, usize, u32);

fn shape((count, columns, ring): RowShape) -> Rows {
    Rows { count, columns, ring }
}

#[pyfunction]
pub(crate) fn deal_shuffle<'py>(
    py: Python<'py>,
    first: &Dealt,
    second: &Dealt,
    owner: usize,
    rows: RowShape,
) -> PyResult<Bound<'py, PyBytes>> {
    let rows = shape(rows);
    message(py, rows.message_len().map_err(refuse)?, |out| {
        shuffle::deal((&first.0, &second.0), (owner, rows), out, *FEATURES)
    })
}

#[pyfunction]
pub(crate) fn shuffle_order<'py>(
    py: Python<'py>,
    dealt: &Dealt,
    count: usize,
) -> PyResult<Words<'py>> {
    let keys = dealt.0.share(0, count, 64).map_err(refuse)?;
    words(py, count, |out| {
        shuffle::order(keys, out);
        Ok(())
    })
}

#[pyfunction]
pub(crate) fn mask_rows<'py>(
    py: Python<'py>,
    x: PyReadonlyArray1<'py, u64>,
    places: PyReadonlyArray1<'py, u64>,
    dealt: &Dealt,
    rows: RowShape,
) -> PyResult<Bound<'py, PyBytes>> {
    let (x, places, rows) = (plain(&x, "x")?, plain(&places, "places")?, shape(rows));
    let mask = dealt.0.share(1, x.len(), rows.ring).map_err(refuse)?;
    message(py, rows.message_len().map_err(refuse)?, |out| {
        shuffle::mask_rows((x, places), rows, mask, out, *FEATURES)
    })
}

#[pyfunction]
pub(crate) fn place_rows<'py>(
    py: Python<'py>,
    x: PyReadonlyArray1<'py, u64>,
    order: PyReadonlyArray1<'py, u64>,
    shuffle: PyReadonlyArray1<'py, u64>,
    masked: PyBackedBytes,
    dealt: &Dealt,
    rows: RowShape,
) -> PyResult<Words<'py>> {
    let (x, rows) = (plain(&x, "x")?, shape(rows));
    let orders = (plain(&order, "order")?, plain(&shuffle, "shuffle")?);
    let share = dealt.0.share(2, x.len(), rows.ring).map_err(refuse)?;
    words(py, x.len(), |out| shuffle::place_rows(x, orders, &masked, (rows, share), out, *FEATURES))
}
