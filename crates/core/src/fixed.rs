//! Reals to fixed-point words.

#![expect(clippy::inline_always, reason = "each instruction set compiles its own copy")]

use core::sync::atomic::{AtomicBool, Ordering};

use crate::simd::{self, Work};
use crate::{Error, Features, parallel};

/// Added to a double below 2^51, it leaves the nearest integer in the lowest bits.
pub(crate) const MAGIC: f64 = 6_755_399_441_055_744.0;
/// Values that are worth a thread.
pub(crate) const WORTH_A_THREAD: usize = 1 << 17;

/// Values that are checked before they are written.
const CHUNK: usize = 4096;

/// Writes round(x · 2^fraction) mod 2^64 to `out`, to nearest and ties to even.
///
/// # Errors
/// [`Error::Range`] if a value is not below 2^(62 - fraction); [`Error::Length`].
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
    within(values.chunks(span).zip(out.chunks_mut(span)), |(values, out)| {
        values
            .chunks(CHUNK)
            .zip(out.chunks_mut(CHUNK))
            .all(|(values, words)| simd::widest(features, Encoded { values, fraction, words }))
    })
}

/// Whether every value lies within the bounds.
#[must_use]
pub fn inside<T: Copy + PartialOrd + Sync>(
    values: &[T],
    (low, high): (T, T),
    features: Features,
) -> bool {
    let span = parallel::share(values.len(), CHUNK, features.threads(values.len(), WORTH_A_THREAD));
    within(values.chunks(span), |values| {
        let bounds = (low, high);
        values.chunks(CHUNK).all(|values| simd::widest(features, Inside { values, bounds }))
    })
    .is_ok()
}

/// A chunk of [`inside`].
struct Inside<'a, T> {
    values: &'a [T],
    bounds: (T, T),
}

impl<T: Copy + PartialOrd> Work for Inside<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let (low, high) = self.bounds;
        let mut fits = true;
        for value in self.values {
            fits &= *value >= low;
            fits &= *value <= high;
        }
        fits
    }
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
struct Encoded<'a> {
    values: &'a [f64],
    fraction: u32,
    words: &'a mut [u64],
}

impl Work for Encoded<'_> {
    type Output = bool;

    #[inline(always)]
    fn run(self) -> bool {
        let scale = scale(self.fraction);
        let mut fits = true;
        for (value, word) in self.values.iter().zip(self.words) {
            let (fit, found) = encoded(*value, scale);
            fits &= fit;
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
