//! The best split of a node: every one is weighed, and a better one is taken by masks.

use super::logistic::{ONE, real};
use super::mask::{choose, mask};
use super::sums::Sum;
use super::table::Table;

/// Added to the second derivatives of a leaf, as `LightGBM`'s `lambda_l2`.
const PENALTY: i64 = ONE;

/// A test of one column: rows whose code is at most the threshold go left.
#[derive(Clone, Copy)]
pub(super) struct Split {
    pub(super) column: u64,
    pub(super) threshold: u64,
    /// 1 if rows without a value go left.
    pub(super) missing_left: u64,
}

impl Split {
    /// All rows go left: the node is not split.
    const NONE: Self = Self { column: 0, threshold: 255, missing_left: 1 };

    /// As a node of a forest has it.
    pub(super) fn bytes(self) -> [u8; 3] {
        [self.column, self.threshold, self.missing_left].map(|word| word.to_le_bytes()[0])
    }

    /// The test of a node of a forest.
    pub(super) fn of(node: [u8; 3]) -> Self {
        let [column, threshold, missing_left] = node.map(u64::from);
        Self { column, threshold, missing_left }
    }
}

/// What rows are worth together: the loss that the best value of one leaf saves, times 2.
fn worth(sum: Sum) -> f64 {
    let gradient = real(sum.gradient);
    gradient * gradient / real(sum.hessian + PENALTY)
}

/// The value of a leaf, in the derivatives' unit.
pub(super) fn value(sum: Sum, rate: f64) -> f64 {
    -rate * real(sum.gradient) / real(sum.hessian + PENALTY)
}

/// The best split so far, and what its sides are worth: not negative, so its bits are in order.
struct Best {
    worth: u64,
    split: Split,
}

impl Best {
    /// Takes a split where it is better, and leaves enough rows on both sides.
    fn weigh(&mut self, (left, whole): (Sum, Sum), least: i64, split: Split) {
        let right = whole - left;
        let enough = mask(left.rows >= least) & mask(right.rows >= least);
        let found = (worth(left) + worth(right)).to_bits() & enough;
        let better = mask(found > self.worth);
        self.worth = choose(better, found, self.worth);
        self.split.column = choose(better, split.column, self.split.column);
        self.split.threshold = choose(better, split.threshold, self.split.threshold);
        self.split.missing_left = choose(better, split.missing_left, self.split.missing_left);
    }
}

/// The split of a node with these sums, of all bins of all columns, that saves most loss.
///
/// Of equal ones the first: by column, then threshold, then missing values to the right. None if
/// no split saves more than a leaf.
pub(super) fn best(sums: &[Sum], table: &Table<'_>, least: i64) -> Split {
    let whole = sums[..table.counts[0]].iter().fold(Sum::default(), |sum, &bin| sum + bin);
    let mut best = Best { worth: worth(whole).to_bits(), split: Split::NONE };
    let mut rest = sums;
    for (column, (&count, &missing)) in (0..).zip(table.counts.iter().zip(table.missing)) {
        let (bins, after) = rest.split_at(count);
        let (bins, gap) = bins.split_at(count - usize::from(missing));
        let (mut left, gap) = (Sum::default(), gap.first().copied());
        for (threshold, &bin) in (0..).zip(bins) {
            left = left + bin;
            let split = Split { column, threshold, missing_left: 0 };
            best.weigh((left, whole), least, split);
            if let Some(gap) = gap {
                best.weigh((left + gap, whole), least, Split { missing_left: 1, ..split });
            }
        }
        rest = after;
    }
    best.split
}
