//! A table of reals in the clear at its owner: masked, or multiplied, without its words in memory.

#![expect(clippy::inline_always, reason = "each instruction set compiles its own copy")]

use crate::dealt::Share;
use crate::fixed::{encoded, scale, within};
use crate::ring::Shape;
use crate::simd::{self, Work};
use crate::{Error, Features, parallel, products};

/// Writes round(x · 2^fraction) less masks from number `first` on, words of `bits` bits, to `out`: a
/// piece of a message.
///
/// # Errors
/// [`Error::Range`] as [`crate::fixed::encode`]; [`Error::Length`] as [`crate::products::mask_span`].
pub fn mask_span(
    values: &[f64],
    (fraction, bits): (u32, u32),
    mask: (Share<'_>, usize),
    out: &mut [u8],
    features: Features,
) -> Result<(), Error> {
    products::fits(values.len(), mask.1, bits, out)?;
    let mut fits = true;
    products::each_mask(mask, (values.len(), bits), out, features, |span, masks| {
        fits &= simd::widest(features, Masked { values: &values[span], fraction, masks });
    });
    if fits { Ok(()) } else { Err(Error::Range) }
}

/// Turns the bytes of masks into those of masked words; whether all values are within bounds.
struct Masked<'a> {
    values: &'a [f64],
    fraction: u32,
    masks: &'a mut [[u8; 8]],
}

impl Work for Masked<'_> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let scale = scale(self.fraction);
        let mut fits = true;
        for (value, mask) in self.values.iter().zip(self.masks) {
            let (fit, word) = encoded(*value, scale);
            fits &= fit;
            *mask = word.wrapping_sub(u64::from_le_bytes(*mask)).to_le_bytes();
        }
        fits
    }
}

/// Writes round(x · 2^fraction) · column modulo 2^64 to `out`, on at most `threads` threads.
///
/// # Errors
/// As [`mask_span`].
pub fn multiply(
    (values, fraction): (&[f64], u32),
    column: &[u64],
    out: &mut [u64],
    threads: usize,
    features: Features,
) -> Result<(), Error> {
    let shape = Shape { m: out.len(), k: column.len(), n: 1 };
    shape.check(values.len(), column.len(), out.len())?;
    if column.is_empty() {
        out.fill(0);
        return Ok(());
    }
    let rows = parallel::share(shape.m, 1, shape.threads(threads));
    within(values.chunks(rows * shape.k).zip(out.chunks_mut(rows)), |(values, out)| {
        simd::widest(features, Dots { values, fraction, column, out })
    })
}

/// The product of each row and a column; whether all values are within bounds.
struct Dots<'a> {
    values: &'a [f64],
    fraction: u32,
    column: &'a [u64],
    out: &'a mut [u64],
}

impl Work for Dots<'_> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let scale = scale(self.fraction);
        let mut fits = true;
        for (row, sum) in self.values.chunks_exact(self.column.len()).zip(self.out) {
            *sum = 0;
            for (value, y) in row.iter().zip(self.column) {
                let (fit, word) = encoded(*value, scale);
                fits &= fit;
                *sum = sum.wrapping_add(word.wrapping_mul(*y));
            }
        }
        fits
    }
}
