//! Boosted trees on bin codes, grown by level as complete trees of one shape.
//!
//! Source: Chen and Guestrin, "`XGBoost`: a scalable tree boosting system" (KDD 2016), §2 and 3.1,
//! with sums in fixed point; by masks as in Ohrimenko et al., "Oblivious multi-party machine
//! learning on trusted processors" (USENIX Security 2016), §3.

use super::logistic::{UNIT, base, derive, real, round};
use super::route::{descend, pick};
use super::split::{Split, best, value};
use super::sums::{self, Slopes, Sum};
use super::table::{Table, limited};
use crate::products::same;
use crate::{Error, Features, parallel};

/// Depths that a node's number has room for.
const DEEPEST: usize = 7;

/// The public shape of a forest, and how it is grown.
#[derive(Clone, Copy)]
pub struct Growth {
    /// How many trees.
    pub trees: usize,
    /// Tests on the way to a leaf, at most 7.
    pub depth: usize,
    /// The factor of each leaf.
    pub rate: f64,
    /// No leaf of a split node stands for fewer rows.
    pub least: usize,
}

/// Complete trees, one after the other, each by level from left to right.
pub struct Forest {
    /// The tested column, the threshold up to which a row goes left, and 1 if missing values do.
    pub nodes: Vec<[u8; 3]>,
    /// The leaves, multiples of 2^-24.
    pub leaves: Vec<f64>,
}

/// The forest that boosting with a logistic loss grows on these rows; labels are 0 or 1.
///
/// The first tree's leaves hold the log-odds of all rows as well. A node that no split improves
/// sends all rows to the left.
///
/// # Errors
/// [`Error::Length`] or [`Error::Count`] if a size does not fit.
pub fn grow(
    table: &Table<'_>,
    labels: &[u8],
    growth: Growth,
    features: Features,
) -> Result<Forest, Error> {
    same("labels", table.rows, labels.len())?;
    limited("depth", DEEPEST, growth.depth)?;
    limited("rows", u32::MAX as usize, table.rows)?;
    let mut boosting = Boosting::new(table, labels, growth, features.without_avx512());
    let mut forest = Forest { nodes: Vec::new(), leaves: Vec::new() };
    for tree in 0..growth.trees {
        let (nodes, leaves) = boosting.tree();
        let base = if tree == 0 { boosting.base } else { 0 };
        forest.nodes.extend(nodes);
        forest.leaves.extend(leaves.iter().map(|&leaf| real(leaf + base) / UNIT));
    }
    Ok(forest)
}

/// All rows, and what the trees so far say of them.
struct Boosting<'a> {
    table: &'a Table<'a>,
    labels: &'a [u8],
    growth: Growth,
    least: i64,
    features: Features,
    base: i64,
    margins: Vec<i64>,
    slopes: Slopes,
    /// The node of each place where there is but one. Places that pad have no slopes.
    root: Vec<u8>,
}

impl<'a> Boosting<'a> {
    fn new(table: &'a Table<'a>, labels: &'a [u8], growth: Growth, features: Features) -> Self {
        let (places, events) = (table.places, labels.iter().map(|&label| i64::from(label)).sum());
        let base = base(events, whole(table.rows));
        Self {
            table,
            labels,
            growth,
            least: whole(growth.least.max(1)),
            features,
            base,
            margins: vec![base; places],
            slopes: Slopes { gradient: vec![0; places], hessian: vec![0; places] },
            root: vec![0; places],
        }
    }

    /// The next tree's nodes and leaves, which all rows' log-odds go up by.
    fn tree(&mut self) -> (Vec<[u8; 3]>, Vec<i64>) {
        derive(&self.margins, self.labels, &mut self.slopes);
        let (mut tree, mut nodes) = (Vec::new(), self.root.clone());
        let mut level = vec![self.histogram(&nodes, 0)];
        for depth in 1..=self.growth.depth {
            let splits: Vec<_> =
                level.iter().map(|sums| best(sums, self.table, self.least)).collect();
            descend(self.table, &mut nodes, &splits, self.features);
            tree.extend(splits.into_iter().map(Split::bytes));
            if depth < self.growth.depth {
                level = self.children(&level, &nodes);
            }
        }
        let leaves = self.leaves(&nodes);
        self.step(&nodes, &leaves);
        (tree, leaves)
    }

    /// The sums of the rows of one node, by column and bin.
    fn histogram(&self, nodes: &[u8], node: u8) -> Vec<Sum> {
        let mut sums = vec![Sum::default(); self.table.bins()];
        let (mut parts, mut rest) = (Vec::new(), &mut sums[..]);
        for (&count, codes) in self.table.counts.iter().zip(self.table.columns()) {
            let (bins, after) = rest.split_at_mut(count);
            parts.push((codes, bins));
            rest = after;
        }
        let span = parallel::share(parts.len(), 1, self.table.threads(self.features));
        parallel::each(parts.chunks_mut(span), |part| {
            for (codes, bins) in part {
                sums::add(codes, (nodes, node), &self.slopes, bins, self.features);
            }
        });
        sums
    }

    /// The sums of all children: of the left ones by a scan, of the right ones by what is left.
    fn children(&self, level: &[Vec<Sum>], nodes: &[u8]) -> Vec<Vec<Sum>> {
        let mut children = Vec::with_capacity(2 * level.len());
        for (parent, node) in level.iter().zip((0..).step_by(2)) {
            let left = self.histogram(nodes, node);
            let right = parent.iter().zip(&left).map(|(&all, &left)| all - left).collect();
            children.extend([left, right]);
        }
        children
    }

    fn leaves(&self, nodes: &[u8]) -> Vec<i64> {
        let mut sums = vec![Sum::default(); 1 << self.growth.depth];
        sums::add(nodes, (&self.root, 0), &self.slopes, &mut sums, self.features);
        sums.into_iter().map(|sum| round(value(sum, self.growth.rate) * UNIT)).collect()
    }

    fn step(&mut self, nodes: &[u8], leaves: &[i64]) {
        let values: Vec<_> = leaves.iter().map(|leaf| leaf.cast_unsigned()).collect();
        let mut steps = vec![0; nodes.len()];
        pick(&values, nodes, &mut steps, self.features);
        for (margin, step) in self.margins.iter_mut().zip(steps) {
            *margin += step.cast_signed();
        }
    }
}

/// A public size, below 2^32 or so.
#[expect(clippy::cast_possible_wrap, reason = "sizes in memory are below 2^63")]
fn whole(size: usize) -> i64 {
    size as i64
}
