//! Truncation by the wrap of top bits, and shared bits made words.

#![expect(clippy::inline_always, reason = "each instruction set compiles its own copy")]

use crate::bits::write_bits;
use crate::dealt::{Scratch, Share};
use crate::products::{Buffers, WORTH_A_THREAD, both, same};
use crate::simd::{self, Work};
use crate::{Error, Features, parallel};

/// Words of which a bit each is treated together.
const BITS: usize = 2048;

/// The number whose bits are bits `top` of at most 64 words, after adding `offset` to each.
#[inline(always)]
fn top_bits(words: &[u64], offset: u64, top: u32) -> u64 {
    let top = |word: &u64| word.wrapping_add(offset) >> top & 1;
    let tops = words.iter().enumerate().map(|(i, word)| top(word) << i);
    tops.fold(0, |all, top| all | top)
}

/// Writes the negated top bits of x + offset mod 2^ring, masked, to `out`: the message of a cheap
/// truncation.
///
/// # Errors
/// [`Error::Length`] unless `out` has the bytes of so many bits; [`Error::Bits`].
pub fn mask_tops(
    x: &[u64],
    mask: Share<'_>,
    (offset, ring): (u64, u32),
    out: &mut [u8],
    features: Features,
) -> Result<(), Error> {
    same("message", x.len().div_ceil(8), out.len())?;
    if !(1..=64).contains(&ring) {
        return Err(Error::Bits(ring));
    }
    let span = parallel::share(x.len(), BITS, features.threads(x.len(), WORTH_A_THREAD));
    parallel::each(x.chunks(span).zip(out.chunks_mut(span / 8)).enumerate(), |(part, (x, out))| {
        let (mut scratch, mut buffer) = (Scratch::default(), vec![0; BITS / 64]);
        for (index, (words, bytes)) in x.chunks(BITS).zip(out.chunks_mut(BITS / 8)).enumerate() {
            mask.bits(part * span + index * BITS, words.len(), &mut buffer, &mut scratch);
            simd::widest(features, || {
                for (mask, words) in buffer.iter_mut().zip(words.chunks(64)) {
                    *mask ^= !top_bits(words, offset, ring - 1);
                }
            });
            write_bits(bytes, 0, words.len(), &buffer);
        }
    });
    Ok(())
}

/// What a cheap truncation needs beside the words and the messages.
#[derive(Clone, Copy)]
pub struct Wrap<'a> {
    /// This party's dealt bits.
    pub mine: Share<'a>,
    /// Shares of the products of both parties' dealt bits.
    pub product: Share<'a>,
    /// Bits of a share of x.
    pub ring: u32,
    /// The bits to drop.
    pub shift: u32,
    /// Whether this party adds public terms.
    pub first: bool,
}

/// Writes shares mod 2^64 of ⌊x / 2^shift⌋, or of that plus 1 unless the shift is 0, to `out`.
///
/// # Errors
/// As [`Share::message`]; [`Error::Bits`] for a ring that is not wider than the shift, or wide
/// enough as it is.
pub fn truncate(
    x: &[u64],
    own: &[u8],
    peer: &[u8],
    wrap: Wrap<'_>,
    out: &mut [u64],
    features: Features,
) -> Result<(), Error> {
    same("shares", x.len(), out.len())?;
    if !(2..=64).contains(&wrap.ring) || !(1..64).contains(&(wrap.ring - wrap.shift.min(64))) {
        return Err(Error::Bits(wrap.ring));
    }
    let message = |data| Share::message(data, x.len(), 1, features);
    let messages = [message(own)?, message(peer)?];
    let span = parallel::share(x.len(), BITS, features.threads(x.len(), WORTH_A_THREAD));
    parallel::each(x.chunks(span).zip(out.chunks_mut(span)).enumerate(), |(part, (x, out))| {
        let mut scratch = Scratch::default();
        let mut bits = [0; 3].map(|_| vec![0; BITS / 64]);
        for (index, (words, y)) in x.chunks(BITS).zip(out.chunks_mut(BITS)).enumerate() {
            let at = part * span + index * BITS;
            let shares = messages.into_iter().chain([wrap.mine]);
            for (share, part) in shares.zip(&mut bits) {
                share.bits(at, words.len(), part, &mut scratch);
            }
            wrap.product.words(at, y, &mut scratch);
            simd::widest(features, Truncated { words, bits: &bits, wrap, y });
        }
    });
    Ok(())
}

/// A chunk of [`truncate`]; `y` holds the shares of the products.
struct Truncated<'a> {
    words: &'a [u64],
    bits: &'a [Vec<u64>; 3],
    wrap: Wrap<'a>,
    y: &'a mut [u64],
}

impl Work for Truncated<'_> {
    type Output = ();

    /// p·q = (a ^ d)·(b ^ e) is ±a·b, plus a or b, or 1 less that, as the opened d and e say.
    #[inline(always)]
    fn run(self) {
        let Self { words, bits: [opened, theirs, mine], wrap, y } = self;
        let (one, ring, shift) = (u64::from(wrap.first), wrap.ring, wrap.shift);
        let (offset, mask) = (one << (ring - 2), u64::MAX >> (64 - ring));
        // Minus 2^(ring-shift) for the wrap, minus the offset, plus 1 for the carry.
        let less = (1 << (ring - shift)) + (1u64 << (ring - 2) >> shift);
        let carry = u64::from(shift > 0);
        let public = if wrap.first { carry.wrapping_sub(less) } else { 0 };
        for (block, (words, y)) in words.chunks(64).zip(y.chunks_mut(64)).enumerate() {
            let (d, e, mine) = (opened[block], theirs[block], mine[block]);
            for (i, (y, x)) in y.iter_mut().zip(words).enumerate() {
                let negate = (((d ^ e) >> i) & 1).wrapping_neg();
                let negated = (d >> i & 1).wrapping_neg();
                let known = ((mine >> i & 1) ^ negated).wrapping_sub(negated);
                let known = known.wrapping_add(one & negated) & (e >> i & 1).wrapping_neg();
                let both = (*y ^ negate).wrapping_sub(negate).wrapping_add(known);
                let high = (x.wrapping_add(offset) & mask) >> shift;
                *y = high.wrapping_add(both << (ring - shift)).wrapping_add(public);
            }
        }
    }
}

/// Writes shares of d + (1 - 2d) · word to `out`, for opened bits d: dealt bits as words, unmasked.
///
/// # Errors
/// As [`Share::message`].
pub fn unmask(
    own: &[u8],
    peer: &[u8],
    word: Share<'_>,
    first: bool,
    out: &mut [u64],
    features: Features,
) -> Result<(), Error> {
    let opened = both(own, peer, (out.len(), 1), features)?;
    let count = out.len();
    let span = parallel::share(count, BITS, features.threads(count, WORTH_A_THREAD));
    parallel::each(out.chunks_mut(span).enumerate(), |(part, out)| {
        let mut buffers = Buffers::default();
        let mut bits = vec![0; BITS / 64];
        for (index, y) in out.chunks_mut(BITS).enumerate() {
            let at = part * span + index * BITS;
            opened.bits(at, y.len(), &mut bits, &mut buffers);
            word.words(at, y, &mut buffers.scratch);
            simd::widest(features, || unmask_chunk(&bits, u64::from(first), y));
        }
    });
    Ok(())
}

#[inline(always)]
fn unmask_chunk(bits: &[u64], first: u64, words: &mut [u64]) {
    for (d, words) in bits.iter().zip(words.chunks_mut(64)) {
        for (i, word) in words.iter_mut().enumerate() {
            let negate = (d >> i & 1).wrapping_neg();
            *word = (*word ^ negate).wrapping_sub(negate).wrapping_add(first & negate);
        }
    }
}
