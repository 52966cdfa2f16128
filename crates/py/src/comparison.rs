//! Ticks of protocols on bits, and comparison.

use moiety_core::compare::{self, Comparison};
use moiety_core::gates::{self, Factors};
use moiety_core::products::Own;
use moiety_core::tree::{self, Tree};
use moiety_core::waves;
use numpy::{PyArray2, PyReadonlyArray1, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::part::{Bits, Dealt, bits, message, rows};
use crate::waves::{Form, form};
use crate::{FEATURES, plain, refuse};

#[pyfunction]
pub(crate) fn mask_bits<'py>(
    py: Python<'py>,
    parts: Vec<PyReadonlyArray1<'py, u8>>,
    dealt: &Dealt,
    field: usize,
) -> PyResult<Bound<'py, PyBytes>> {
    let parts = parts.iter().map(|part| plain(part, "parts")).collect::<PyResult<Vec<_>>>()?;
    let share = |(index, part): (usize, &&[u8])| dealt.0.share(field + index, part.len(), 1);
    let masks = parts.iter().enumerate().map(share).collect::<Result<Vec<_>, _>>();
    let masks = masks.map_err(refuse)?;
    let count = parts.iter().map(|part| part.len()).sum::<usize>();
    message(py, count.div_ceil(8), |out| gates::mask_bits(&parts, &masks, out, *FEATURES))
}

/// The factors of product `index` of products with the given lengths.
fn factors<'a>(
    dealt: &'a Dealt,
    lengths: &[usize],
    index: usize,
) -> Result<Factors<'a>, moiety_core::Error> {
    let (whole, count) = (lengths[0], lengths[index]);
    Ok(Factors {
        a: dealt.0.share(0, whole, 1)?,
        b: dealt.0.share(1 + index, count, 1)?,
        c: dealt.0.share(1 + lengths.len() + index, count, 1)?,
        begin: whole + lengths[..index].iter().sum::<usize>(),
    })
}

#[pyfunction]
pub(crate) fn multiply_bits<'py>(
    py: Python<'py>,
    own: PyBackedBytes,
    theirs: PyBackedBytes,
    dealt: &Dealt,
    lengths: Vec<usize>,
    first: bool,
) -> PyResult<Vec<Bits<'py>>> {
    let total = lengths.first().unwrap_or(&0) + lengths.iter().sum::<usize>();
    let product = |index| {
        let factors = factors(dealt, &lengths, index).map_err(refuse)?;
        bits(py, lengths[index], |out| {
            gates::multiply_bits((&own, &theirs, total), factors, first, out, *FEATURES)
        })
    };
    (0..lengths.len()).map(product).collect()
}

#[pyfunction]
pub(crate) fn deal_bit_products<'py>(
    py: Python<'py>,
    first: &Dealt,
    second: &Dealt,
    lengths: Vec<usize>,
) -> PyResult<Bound<'py, PyBytes>> {
    let due = lengths.iter().map(|count| count.div_ceil(8)).sum();
    message(py, due, |mut out| {
        for (index, &count) in lengths.iter().enumerate() {
            let one = factors(first, &lengths, index)?;
            let a = second.0.share(0, lengths[0], 1)?;
            let b = second.0.share(1 + index, count, 1)?;
            let (bytes, rest) = out.split_at_mut(count.div_ceil(8));
            gates::deal_bit_products([one.a, a], [one.b, b], one.c, count, bytes, *FEATURES)?;
            out = rest;
        }
        Ok(())
    })
}

/// What a party sent: its message, or the words that it masked by field 0.
#[derive(FromPyObject)]
pub(crate) enum Sent<'py> {
    Message(PyBackedBytes),
    Words(PyReadonlyArray1<'py, u64>),
}

impl Sent<'_> {
    fn of<'a>(&'a self, dealt: &'a Dealt, bits: u32) -> PyResult<Own<'a>> {
        match self {
            Self::Message(data) => Ok(Own::Message(data)),
            Self::Words(words) => {
                let masks = dealt.0.share(0, words.len(), bits).map_err(refuse)?;
                Ok(Own::Made(plain(words, "own")?, masks))
            }
        }
    }
}

#[pyfunction]
#[pyo3(signature = (own, theirs, dealt, field, shape, first, shift=0))]
#[expect(clippy::too_many_arguments, reason = "as Python passes them")]
pub(crate) fn look_up<'py>(
    py: Python<'py>,
    own: Sent<'py>,
    theirs: PyBackedBytes,
    dealt: &Dealt,
    field: usize,
    shape: (usize, u32, u32, u32),
    first: bool,
    shift: u64,
) -> PyResult<Bound<'py, PyArray2<u64>>> {
    let shape = comparison(shape);
    let own = own.of(dealt, shape.ring)?;
    rows(py, [shape.rows(), shape.count.div_ceil(64)], |out| {
        let messages = (own, &theirs[..], shift);
        compare::look_up(messages, (&dealt.0, field), (shape, first), out, *FEATURES)
    })
}

fn comparison((count, ring, bits, digit): (usize, u32, u32, u32)) -> Comparison {
    Comparison { count, ring, bits, digit }
}

#[pyfunction]
#[pyo3(signature = (first, second, field, shape, top, waves=None))]
pub(crate) fn deal_tables<'py>(
    py: Python<'py>,
    first: &Dealt,
    second: &Dealt,
    field: usize,
    shape: (usize, u32, u32, u32),
    top: bool,
    waves: Option<Form>,
) -> PyResult<Bound<'py, PyBytes>> {
    let (shape, waves) = (comparison(shape), waves.map(form));
    let border = compare::tables_len(shape, top).map_err(refuse)?;
    let after = waves.map_or(Ok(0), |waves| waves::waves_len(shape.count, waves));
    message(py, border + after.map_err(refuse)?, |out| {
        let (parts, (tables, rest)) = ((&first.0, &second.0), out.split_at_mut(border));
        compare::deal_tables(parts, (shape, field), top, tables, *FEATURES)?;
        let Some(waves) = waves else { return Ok(()) };
        let field = field + shape.digits();
        waves::deal_waves(parts, (field, shape.ring), (shape.count, waves), rest, *FEATURES)
    })
}

fn tree_of(all: bool) -> Tree {
    if all { Tree::All } else { Tree::Less }
}

#[pyfunction]
#[pyo3(signature = (state, dealt, count, all=false))]
pub(crate) fn mask_level<'py>(
    py: Python<'py>,
    state: PyReadonlyArray2<'py, u64>,
    dealt: &Dealt,
    count: usize,
    all: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    let (tree, rows) = (tree_of(all), state.shape()[0]);
    let state = (plain(&state, "state")?, tree, rows);
    message(py, tree::level_len((tree, rows), count).map_err(refuse)?, |out| {
        tree::mask_level(state, &dealt.0, count, out, *FEATURES)
    })
}

#[pyfunction]
#[pyo3(signature = (state, theirs, dealt, count, first, all=false))]
pub(crate) fn merge_level<'py>(
    py: Python<'py>,
    state: PyReadonlyArray2<'py, u64>,
    theirs: PyBackedBytes,
    dealt: &Dealt,
    count: usize,
    first: bool,
    all: bool,
) -> PyResult<Bound<'py, PyArray2<u64>>> {
    let (tree, number) = (tree_of(all), state.shape()[0]);
    let shape = [tree::merged_rows((tree, number)).map_err(refuse)?, count.div_ceil(64)];
    let state = (plain(&state, "state")?, tree, number);
    rows(py, shape, |out| {
        tree::merge_level(state, &theirs, &dealt.0, (count, first), out, *FEATURES)
    })
}

#[pyfunction]
pub(crate) fn spread_bits<'py>(
    py: Python<'py>,
    row: PyReadonlyArray1<'py, u64>,
    count: usize,
) -> PyResult<Bits<'py>> {
    let row = plain(&row, "row")?;
    bits(py, count.min(64 * row.len()), |out| {
        gates::spread(row, out, *FEATURES);
        Ok(())
    })
}
