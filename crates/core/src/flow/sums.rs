//! What rows add up to by bin: every row is compared with every bin.

#![expect(clippy::inline_always, reason = "each instruction set compiles its own copy")]

use core::ops::{Add, Sub};

use crate::simd::Work;
use crate::{Features, simd};

/// Rows summed in 32 bits: at most 2^10 numbers below 2^20.
const BLOCK: usize = 1 << 10;
/// Bins that one pass over a block compares with.
const ABREAST: usize = 4;

/// What rows add up to; exact, so in any order.
#[derive(Clone, Copy, Default)]
pub(super) struct Sum {
    pub(super) gradient: i64,
    pub(super) hessian: i64,
    pub(super) rows: i64,
}

impl Add for Sum {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            gradient: self.gradient + other.gradient,
            hessian: self.hessian + other.hessian,
            rows: self.rows + other.rows,
        }
    }
}

impl Sub for Sum {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            gradient: self.gradient - other.gradient,
            hessian: self.hessian - other.hessian,
            rows: self.rows - other.rows,
        }
    }
}

/// First and second derivatives of the loss, a number each for every place.
pub(super) struct Slopes {
    pub(super) gradient: Vec<i32>,
    pub(super) hessian: Vec<i32>,
}

/// Adds to each bin what the rows of one node carry whose code it is.
pub(super) fn add(
    codes: &[u8],
    (nodes, node): (&[u8], u8),
    slopes: &Slopes,
    sums: &mut [Sum],
    features: Features,
) {
    let mut keys = [0; BLOCK];
    for (block, codes) in codes.chunks(BLOCK).enumerate() {
        let rows = block * BLOCK..block * BLOCK + codes.len();
        let keys = &mut keys[..codes.len()];
        simd::widest(features, || place(keys, codes, &nodes[rows.clone()], node));
        let (gradient, hessian) = (&slopes.gradient[rows.clone()], &slopes.hessian[rows]);
        for (sums, first) in sums.chunks_mut(ABREAST).zip((0..).step_by(ABREAST)) {
            let found = simd::widest(features, Scan { keys, gradient, hessian, first });
            for (sum, part) in sums.iter_mut().zip(found) {
                *sum = *sum + part;
            }
        }
    }
}

/// Writes the code of each row of the node; of other rows, a number that is no code.
#[inline(always)]
fn place(keys: &mut [i32], codes: &[u8], nodes: &[u8], node: u8) {
    for (key, (&code, &at)) in keys.iter_mut().zip(codes.iter().zip(nodes)) {
        *key = i32::from(code) | (i32::from(at != node) << 8);
    }
}

/// One pass over a block: sums of the rows with each of the keys `first`, `first + 1`, …
struct Scan<'a> {
    keys: &'a [i32],
    gradient: &'a [i32],
    hessian: &'a [i32],
    first: i32,
}

impl Work for Scan<'_> {
    type Output = [Sum; ABREAST];

    #[inline(always)]
    fn run(self) -> [Sum; ABREAST] {
        let mut sums = [[0_i32; 3]; ABREAST];
        let slopes = self.gradient.iter().zip(self.hessian);
        for (&key, (&gradient, &hessian)) in self.keys.iter().zip(slopes) {
            for (sum, bin) in sums.iter_mut().zip(self.first..) {
                let mask = -i32::from(key == bin);
                sum[0] = sum[0].wrapping_add(gradient & mask);
                sum[1] = sum[1].wrapping_add(hessian & mask);
                sum[2] = sum[2].wrapping_sub(mask);
            }
        }
        sums.map(|sum| {
            let [gradient, hessian, rows] = sum.map(i64::from);
            Sum { gradient, hessian, rows }
        })
    }
}
