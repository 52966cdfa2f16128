//! Prediction by complete trees: every node of every tree is evaluated for every row.

use super::route::{descend, pick};
use super::split::Split;
use super::table::{Table, limited};
use crate::products::same;
use crate::{Error, Features};

/// Writes the log-odds of each row: the sum of the leaves that it reaches, in the trees' order.
///
/// `nodes` and `leaves` are those of a [`super::grow::Forest`] of trees with so many leaves.
///
/// # Errors
/// [`Error::Length`] or [`Error::Count`] if a size does not fit.
pub fn score(
    table: &Table<'_>,
    (nodes, leaves, width): (&[[u8; 3]], &[f64], usize),
    out: &mut [f64],
    features: Features,
) -> Result<(), Error> {
    same("out", table.rows, out.len())?;
    limited("leaves", 1 << 7, width)?;
    same("leaves", width.next_power_of_two(), width)?;
    let trees = leaves.len() / width;
    same("leaves", trees * width, leaves.len())?;
    same("nodes", trees * (width - 1), nodes.len())?;
    let features = features.without_avx512();
    let mut reached = vec![0; table.places];
    out.fill(0.0);
    for tree in 0..trees {
        let nodes = &nodes[tree * (width - 1)..][..width - 1];
        let at = walk(table, nodes, features);
        let values: Vec<_> = leaves[tree * width..][..width].iter().map(|x| x.to_bits()).collect();
        pick(&values, &at, &mut reached, features);
        for (sum, &bits) in out.iter_mut().zip(&reached) {
            *sum += f64::from_bits(bits);
        }
    }
    Ok(())
}

/// The leaf of each place in one tree, from left to right.
fn walk(table: &Table<'_>, nodes: &[[u8; 3]], features: Features) -> Vec<u8> {
    let mut at = vec![0; table.places];
    let mut rest = nodes;
    while !rest.is_empty() {
        let (level, below) = rest.split_at(nodes.len() - rest.len() + 1);
        let splits: Vec<_> = level.iter().map(|&node| Split::of(node)).collect();
        descend(table, &mut at, &splits, features);
        rest = below;
    }
    at
}
