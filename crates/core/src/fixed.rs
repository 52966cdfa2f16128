//! Reals to fixed-point words.

#![expect(clippy::inline_always, reason = "each instruction set compiles its own copy")]

use core::sync::atomic::{AtomicBool, Ordering};

use crate::simd::{self, Work};
use crate::{Error, Features, parallel};

/// Added to a double below 2^51, it leaves the nearest integer in the lowest bits.
pub(crate) const MAGIC: f64 = 6_755_399_441_055_744.0;
/// What the bits of that add to the upper half and to the rest.
const MAGIC_BITS: u64 = (MAGIC.to_bits() << 32).wrapping_add(MAGIC.to_bits());
/// Values that are worth a thread.
const WORTH_A_THREAD: usize = 1 << 17;

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
    let span = parallel::share(out.len(), CHUNK, features.threads(out.len(), WORTH_A_THREAD));
    let fits = AtomicBool::new(true);
    parallel::each(values.chunks(span).zip(out.chunks_mut(span)), |(values, out)| {
        for (values, words) in values.chunks(CHUNK).zip(out.chunks_mut(CHUNK)) {
            if !simd::widest(features, Encoded { values, fraction, words }) {
                return fits.store(false, Ordering::Relaxed);
            }
        }
    });
    if fits.into_inner() { Ok(()) } else { Err(Error::Range) }
}

/// A chunk of [`encode`]; whether all values are within bounds: only then are the words right.
pub(crate) struct Encoded<'a> {
    pub(crate) values: &'a [f64],
    pub(crate) fraction: u32,
    pub(crate) words: &'a mut [u64],
}

impl Work for Encoded<'_> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let scale = 2f64.powi(self.fraction.min(1000).cast_signed());
        let bound = 2f64.powi(62);
        let mut fits = u64::MAX;
        for (value, word) in self.values.iter().zip(self.words) {
            let scaled = (value * scale).round_ties_even();
            fits &= u64::from((value * scale).abs() < bound).wrapping_neg();
            *word = word_of(scaled);
        }
        fits != 0
    }
}

/// The word of an integer below 2^62: its upper half, then the rest, both exact.
#[inline(always)]
fn word_of(x: f64) -> u64 {
    let upper = x * 2f64.powi(-32) + MAGIC;
    let rest = x - (upper - MAGIC) * 2f64.powi(32);
    (upper.to_bits() << 32).wrapping_add((rest + MAGIC).to_bits()).wrapping_sub(MAGIC_BITS)
}
