//! Reals to fixed-point words.

#![expect(clippy::inline_always, reason = "each instruction set compiles its own copy")]
#![expect(clippy::cast_possible_truncation, reason = "the bound was checked before")]

use crate::{Error, Features, simd};

/// Values that are checked before they are written.
const CHUNK: usize = 4096;

/// Writes round(x · 2^fraction) mod 2^64 to `out`, to nearest and ties to even.
///
/// # Errors
/// [`Error::Range`] if a value is not finite, or not below 2^(62 - fraction); [`Error::Length`].
pub fn encode(
    values: &[f64],
    fraction: u32,
    out: &mut [u64],
    features: Features,
) -> Result<(), Error> {
    if values.len() != out.len() {
        return Err(Error::Length("words", values.len(), out.len()));
    }
    let scale = 2f64.powi(fraction.min(1000).cast_signed());
    for (values, words) in values.chunks(CHUNK).zip(out.chunks_mut(CHUNK)) {
        if !simd::widest(features, || encode_chunk(values, scale, words)) {
            return Err(Error::Range);
        }
    }
    Ok(())
}

/// Whether all values are within bounds; only then are the words right.
#[inline(always)]
fn encode_chunk(values: &[f64], scale: f64, words: &mut [u64]) -> bool {
    let bound = 2f64.powi(62);
    let mut fits = true;
    for (value, word) in values.iter().zip(words) {
        let scaled = value * scale;
        fits &= scaled.abs() < bound;
        *word = (scaled.round_ties_even() as i64).cast_unsigned();
    }
    fits
}
