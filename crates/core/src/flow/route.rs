//! Rows on their way down: every node tests every row, and a mask keeps the answer of its own.

#![expect(clippy::inline_always, reason = "each instruction set compiles its own copy")]

use super::mask::mask;
use super::split::Split;
use super::table::Table;
use crate::{Features, simd};

/// Moves every place from its node to the child that its code belongs to.
pub(super) fn descend(table: &Table<'_>, nodes: &mut [u8], splits: &[Split], features: Features) {
    let (mut codes, mut right) = (vec![0; table.places], vec![0; table.places]);
    for (&split, node) in splits.iter().zip(0..) {
        let gap = tested(table, split, &mut codes, features);
        let test = Test { node, gap, split: split.bytes() };
        simd::widest(features, || test.answer(&codes, nodes, &mut right));
    }
    simd::widest(features, || {
        for (node, right) in nodes.iter_mut().zip(&right) {
            *node = (*node << 1) | (right & 1);
        }
    });
}

/// Writes the codes of the column that a node tests; returns the code that means a missing value.
fn tested(table: &Table<'_>, split: Split, codes: &mut [u8], features: Features) -> u8 {
    codes.fill(0);
    let mut found = 0;
    for (column, (values, gap)) in (0..).zip(table.columns().zip(table.gaps())) {
        let chosen = mask(split.column == column).to_le_bytes()[0];
        found |= gap & chosen;
        simd::widest(features, || {
            for (code, value) in codes.iter_mut().zip(values) {
                *code |= value & chosen;
            }
        });
    }
    found
}

/// What one node asks of a row.
struct Test {
    node: u8,
    gap: u8,
    split: [u8; 3],
}

impl Test {
    /// Marks the rows of the node that go right.
    #[inline(always)]
    fn answer(&self, codes: &[u8], nodes: &[u8], right: &mut [u8]) {
        let [_, threshold, missing_left] = self.split;
        let missing_right = missing_left.wrapping_sub(1);
        for ((&code, &node), right) in codes.iter().zip(nodes).zip(right) {
            let gap = u8::from(code == self.gap).wrapping_neg();
            let above = u8::from(code > threshold).wrapping_neg();
            let own = u8::from(node == self.node).wrapping_neg();
            *right |= own & ((gap & missing_right) | (!gap & above));
        }
    }
}

/// Writes the value of each row's node.
pub(super) fn pick(values: &[u64], nodes: &[u8], out: &mut [u64], features: Features) {
    out.fill(0);
    for (&value, own) in values.iter().zip(0_u8..) {
        simd::widest(features, || {
            for (out, &node) in out.iter_mut().zip(nodes) {
                *out |= value & u64::from(node == own).wrapping_neg();
            }
        });
    }
}
