//! A table of reals in the clear at its owner: masked, or multiplied, without its words in memory.

#![expect(clippy::inline_always, reason = "each instruction set compiles its own copy")]

use crate::bits::{pack_groups, packed_len};
use crate::dealt::{CHUNK, Scratch, Share};
use crate::fixed::{Encoded, UNBOUNDED, WORTH_A_THREAD, encoded, scale, within};
use crate::products::same;
use crate::ring::{Shape, matmul};
use crate::simd::{self, Work};
use crate::{Error, Features, parallel};

/// Words of the table that are multiplied together.
const STRIP: usize = 1 << 14;

/// Writes round(x · 2^fraction) less a mask for each value, words of `bits` bits, to `out`.
///
/// # Errors
/// [`Error::Range`] as [`crate::fixed::encode`]; [`Error::Length`] if a size does not fit.
pub fn mask_reals(
    values: &[f64],
    (fraction, bits): (u32, u32),
    mask: Share<'_>,
    out: &mut [u8],
    features: Features,
) -> Result<(), Error> {
    same("message", packed_len(values.len(), bits)?, out.len())?;
    let span = parallel::share(values.len(), CHUNK, features.threads(values.len(), WORTH_A_THREAD));
    let bytes = |words: usize| words / 8 * bits as usize;
    within(values.chunks(span).zip(out.chunks_mut(bytes(span))).enumerate(), |(part, run)| {
        let (values, out) = run;
        let (mut scratch, mut masks) = (Scratch::default(), vec![0; CHUNK]);
        let mut chunks = values.chunks(CHUNK).zip(out.chunks_mut(bytes(CHUNK))).enumerate();
        chunks.all(|(index, (values, bytes))| {
            let (at, masks) = (part * span + index * CHUNK, &mut masks[..values.len()]);
            if bits == 64 {
                mask.bytes(8 * at, bytes);
                let masks = bytes.as_chunks_mut().0;
                return simd::widest(features, Masked { values, fraction, masks });
            }
            mask.words(at, masks, &mut scratch);
            let whole = simd::bytes_of_mut(masks).as_chunks_mut().0;
            let fits = simd::widest(features, Masked { values, fraction, masks: whole });
            pack_groups(masks, bits, bytes, features);
            fits
        })
    })
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

/// Writes round(x · 2^fraction) · b modulo 2^64 to `out`, on at most `threads` threads.
///
/// # Errors
/// As [`mask_reals`].
pub fn multiply_reals(
    (values, fraction): (&[f64], u32),
    b: &[u64],
    out: &mut [u64],
    (shape, threads): (Shape, usize),
    features: Features,
) -> Result<(), Error> {
    let Shape { m, k, n } = shape;
    shape.check(values.len(), b.len(), out.len())?;
    if k == 0 || n == 0 {
        out.fill(0);
        return Ok(());
    }
    let strip = (STRIP / k).next_multiple_of(8).max(8);
    let span = parallel::share(m, strip, shape.threads(threads));
    within(values.chunks(span * k).zip(out.chunks_mut(span * n)), |(values, out)| {
        let mut words = vec![0; strip.min(m) * k];
        values.chunks(strip * k).zip(out.chunks_mut(strip * n)).all(|(values, out)| {
            let words = &mut words[..values.len()];
            let shape = Shape { m: values.len() / k, k, n };
            simd::widest(
                features,
                Encoded { values, fraction, bounds: UNBOUNDED, words: &mut *words },
            ) && matmul(words, b, out, shape, 1, features).is_ok()
        })
    })
}
