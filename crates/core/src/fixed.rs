//! Reals to fixed-point words.

#![expect(clippy::inline_always, reason = "each instruction set compiles its own copy")]

use core::sync::atomic::{AtomicBool, Ordering};

use crate::simd::{self, Work};
use crate::{Error, Features, parallel};

/// Added to a double below 2^51, it leaves the nearest integer in the lowest bits.
pub(crate) const MAGIC: f64 = 6_755_399_441_055_744.0;
/// Values that are worth a thread.
pub(crate) const WORTH_A_THREAD: usize = 1 << 17;

/// The least and the largest value.
pub type Bounds = (f64, f64);

/// No bounds.
pub(crate) const UNBOUNDED: Bounds = (f64::NEG_INFINITY, f64::INFINITY);

/// Values that are checked before they are written.
const CHUNK: usize = 4096;

/// Writes round(x · 2^fraction) mod 2^64 to `out`, to nearest and ties to even.
///
/// # Errors
/// [`Error::Range`] if a value is not within the bounds, or not below 2^(62 - fraction);
/// [`Error::Length`].
pub fn encode(
    values: &[f64],
    (fraction, bounds): (u32, Bounds),
    out: &mut [u64],
    features: Features,
) -> Result<(), Error> {
    if values.len() != out.len() {
        return Err(Error::Length("words", values.len(), out.len()));
    }
    let span = parallel::share(out.len(), CHUNK, features.threads(out.len(), WORTH_A_THREAD));
    within(values.chunks(span).zip(out.chunks_mut(span)), |(values, out)| {
        values.chunks(CHUNK).zip(out.chunks_mut(CHUNK)).all(|(values, words)| {
            simd::widest(features, Encoded { values, fraction, bounds, words })
        })
    })
}

/// Whether every word, read as signed, lies within the bounds.
#[must_use]
pub fn inside(words: &[u64], (low, high): (i64, i64), features: Features) -> bool {
    let span = parallel::share(words.len(), CHUNK, features.threads(words.len(), WORTH_A_THREAD));
    within(words.chunks(span), |words| {
        words.chunks(CHUNK).all(|words| {
            simd::widest(features, || {
                let outside = |word: &u64| {
                    let word = word.cast_signed();
                    u64::from(word < low) | u64::from(word > high)
                };
                words.iter().map(outside).fold(0, |any, one| any | one) == 0
            })
        })
    })
    .is_ok()
}

/// Runs every part, and refuses unless each says that its values are within bounds.
pub(crate) fn within<T: Send>(
    parts: impl IntoIterator<Item = T>,
    run: impl Fn(T) -> bool + Sync,
) -> Result<(), Error> {
    let fits = AtomicBool::new(true);
    parallel::each(parts, |part| {
        if !run(part) {
            fits.store(false, Ordering::Relaxed);
        }
    });
    if fits.into_inner() { Ok(()) } else { Err(Error::Range) }
}

/// A chunk of [`encode`]; whether all values are within bounds: only then are the words right.
pub(crate) struct Encoded<'a> {
    pub(crate) values: &'a [f64],
    pub(crate) fraction: u32,
    pub(crate) bounds: Bounds,
    pub(crate) words: &'a mut [u64],
}

impl Work for Encoded<'_> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let (scale, (low, high)) = (scale(self.fraction), self.bounds);
        let mut fits = true;
        for (value, word) in self.values.iter().zip(self.words) {
            let (fit, found) = encoded(*value, scale);
            fits &= fit;
            fits &= *value >= low;
            fits &= *value <= high;
            *word = found;
        }
        fits
    }
}

#[inline(always)]
pub(crate) fn scale(fraction: u32) -> f64 {
    2f64.powi(fraction.min(1000).cast_signed())
}

/// Whether a value is within bounds, and then its word.
#[inline(always)]
pub(crate) fn encoded(value: f64, scale: f64) -> (bool, u64) {
    let scaled = value * scale;
    (scaled.abs() < simd::LARGEST, simd::whole(scaled.round_ties_even()))
}
