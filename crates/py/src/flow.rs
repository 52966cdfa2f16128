//! Kernels whose memory addresses and branches depend on shapes alone.

use moiety_core::flow::Table;
use moiety_core::flow::grow::{Growth, grow};
use moiety_core::flow::join::{Side, join};
use moiety_core::flow::score::score;
use numpy::{
    PyArray1, PyArray2, PyArray3, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2,
    PyReadonlyArray3, PyUntypedArrayMethods,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::{FEATURES, plain, refuse};

/// Bins of each column, and whether the last means a missing value.
type Columns = (Vec<usize>, Vec<bool>);
/// Trees, depth, rate, the fewest rows of a leaf.
type Grown = (usize, usize, f64, usize);
type Codes<'py> = PyReadonlyArray2<'py, u8>;
type Forest<'py> = (Bound<'py, PyArray3<u8>>, Bound<'py, PyArray2<f64>>);

fn table<'a>(codes: &'a Codes<'_>, columns: &'a Columns) -> PyResult<Table<'a>> {
    let (counts, missing) = columns;
    let sizes = (&counts[..], &missing[..]);
    Table::new(plain(codes, "codes")?, sizes, codes.shape()[1]).map_err(refuse)
}

#[pyfunction]
pub(crate) fn grow_trees<'py>(
    py: Python<'py>,
    codes: Codes<'py>,
    labels: PyReadonlyArray1<'py, u8>,
    columns: Columns,
    growth: Grown,
) -> PyResult<Forest<'py>> {
    let (table, labels) = (table(&codes, &columns)?, plain(&labels, "labels")?);
    let (trees, depth, rate, least) = growth;
    let growth = Growth { trees, depth, rate, least };
    let forest = py.detach(|| grow(&table, labels, growth, *FEATURES)).map_err(refuse)?;
    let nodes = PyArray1::from_vec(py, forest.nodes.into_flattened());
    let leaves = PyArray1::from_vec(py, forest.leaves);
    let width = 1 << depth;
    Ok((nodes.reshape([trees, width - 1, 3])?, leaves.reshape([trees, width])?))
}

#[pyfunction]
pub(crate) fn score_trees<'py>(
    py: Python<'py>,
    codes: Codes<'py>,
    columns: Columns,
    nodes: PyReadonlyArray3<'py, u8>,
    leaves: PyReadonlyArray2<'py, f64>,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let table = table(&codes, &columns)?;
    let (nodes, _) = plain(&nodes, "nodes")?.as_chunks();
    let forest = (nodes, plain(&leaves, "leaves")?, leaves.shape()[1]);
    let mut out = vec![0.0; codes.shape()[1]];
    py.detach(|| score(&table, forest, &mut out, *FEATURES)).map_err(refuse)?;
    Ok(PyArray1::from_vec(py, out))
}

#[pyfunction]
pub(crate) fn join_rows<'py>(
    py: Python<'py>,
    key: &[u8],
    tables: Vec<(Codes<'py>, Codes<'py>)>,
) -> PyResult<(Bound<'py, PyArray2<u8>>, u64)> {
    let key = key.try_into().map_err(|_| PyValueError::new_err("key: expected 32 bytes"))?;
    let mut sides = Vec::new();
    for (ids, rows) in &tables {
        let (id, width) = (ids.shape()[1], rows.shape()[1]);
        sides.push(Side { ids: plain(ids, "ids")?, id, rows: plain(rows, "rows")?, width });
    }
    let joined = py.detach(|| join(key, &sides)).map_err(refuse)?;
    let width: usize = sides.iter().map(|side| side.width).sum();
    let most = tables.iter().map(|(ids, _)| ids.shape()[0]).min().unwrap_or(0);
    Ok((PyArray1::from_vec(py, joined.rows).reshape([most, width])?, joined.count))
}
