//! One tick of a protocol on shared bits, which a caller holds as bytes of 0 and 1.

#![expect(clippy::inline_always, reason = "each instruction set compiles its own copy")]
#![expect(clippy::cast_possible_truncation, reason = "a word has eight octets")]

use crate::bits::{pack_groups, packed_len, write_bits};
use crate::dealt::{CHUNK, Scratch, Share};
use crate::products::{Buffers, WORTH_A_THREAD, both};
use crate::{Error, Features, parallel, simd};

/// Bits that are treated together.
const BITS: usize = 1 << 14;

/// Writes bytes of 0 and 1 as words of 64 bits; the last is padded with zeros.
fn gather(bits: &[u8], words: &mut [u64], features: Features) {
    let done = simd::gather(bits, words, features);
    for (word, bits) in words[done..].iter_mut().zip(bits[64 * done..].chunks(64)) {
        *word = gather_word(bits);
    }
}

/// At most 64 bits as one word.
fn gather_word(bits: &[u8]) -> u64 {
    let (octets, rest) = bits.as_chunks::<8>();
    let last = rest.iter().enumerate().fold(0, |word, (i, bit)| word | u64::from(bit & 1) << i);
    let word = last.unbounded_shl(8 * octets.len() as u32);
    octets.iter().enumerate().fold(word, |word, (i, octet)| {
        // Each product moves the lowest bit of byte j to bit 56 + j.
        let bits = u64::from_le_bytes(*octet) & 0x0101_0101_0101_0101;
        word | (bits.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * i)
    })
}

/// The bits of `words` as bytes.
pub fn spread(words: &[u64], out: &mut [u8], features: Features) {
    let done = simd::spread(words, out, features);
    for (word, bytes) in words[done..].iter().zip(out[64 * done..].chunks_mut(64)) {
        spread_word(*word, bytes);
    }
}

fn spread_word(word: u64, bytes: &mut [u8]) {
    let octets = word.to_le_bytes();
    for (octet, bytes) in octets.iter().zip(bytes.chunks_mut(8)) {
        // Copies of the octet, one bit of each kept, and moved to the bottom.
        let kept = u64::from(*octet).wrapping_mul(0x0101_0101_0101_0101) & 0x8040_2010_0804_0201;
        let any = (kept & 0x7f7f_7f7f_7f7f_7f7f).wrapping_add(0x7f7f_7f7f_7f7f_7f7f) | kept;
        let bits = (any >> 7 & 0x0101_0101_0101_0101).to_le_bytes();
        bytes.copy_from_slice(&bits[..bytes.len()]);
    }
}

/// Writes the masked bits of all parts, each with a share of masks, to `out`.
///
/// # Errors
/// [`Error::Length`] unless `out` has the bytes of so many bits.
pub fn mask_bits(
    parts: &[&[u8]],
    masks: &[Share<'_>],
    out: &mut [u8],
    features: Features,
) -> Result<(), Error> {
    let count = parts.iter().map(|part| part.len()).sum::<usize>();
    if out.len() != count.div_ceil(8) || parts.len() != masks.len() {
        return Err(Error::Length("message", count.div_ceil(8), out.len()));
    }
    let ends = &parts[..parts.len().saturating_sub(1)];
    let whole = ends.iter().all(|part| part.len().is_multiple_of(8));
    let threads = if whole { features.threads(count, WORTH_A_THREAD) } else { 1 };
    let span = parallel::share(count, BITS, threads);
    if whole {
        let (mut runs, mut rest) = (Vec::new(), out);
        for (part, share) in parts.iter().zip(masks) {
            for (index, bits) in part.chunks(span).enumerate() {
                let (bytes, after) = rest.split_at_mut(bits.len().div_ceil(8));
                runs.push((bits, (*share, index * span), bytes));
                rest = after;
            }
        }
        parallel::each(runs, |(bits, share, bytes)| mask_run(bits, share, (bytes, 0), features));
        return Ok(());
    }
    let mut at = 0;
    for (part, share) in parts.iter().zip(masks) {
        mask_run(part, (*share, 0), (out, at), features);
        at += part.len();
    }
    Ok(())
}

/// Writes masked bits from bit `to` of `out` on; masks are those from number `at` on.
fn mask_run(
    bits: &[u8],
    (share, at): (Share<'_>, usize),
    (out, to): (&mut [u8], usize),
    features: Features,
) {
    let mut scratch = Scratch::default();
    let [mut line, mut words] = [0; 2].map(|_| vec![0; BITS.min(bits.len()).div_ceil(64)]);
    for (index, bits) in bits.chunks(BITS).enumerate() {
        let begin = index * BITS;
        share.bits(at + begin, bits.len(), &mut line, &mut scratch);
        gather(bits, &mut words, features);
        simd::widest(features, || {
            line.iter_mut().zip(&words).for_each(|(mask, word)| *mask ^= word);
        });
        write_bits(out, to + begin, bits.len(), &line);
    }
}

/// One product of bits: its number, so that its rows are found, and its masks and shares.
#[derive(Clone, Copy)]
pub struct Factors<'a> {
    /// The shared factor's masks.
    pub a: Share<'a>,
    /// The other factor's masks.
    pub b: Share<'a>,
    /// Shares of a · b.
    pub c: Share<'a>,
    /// The opened bits before those of the other factor.
    pub begin: usize,
}

/// Adds d·b ^ (a ^ d)·e to each share of a·b, where `first` keeps d in the brackets.
#[inline(always)]
pub(crate) fn close([d, e, a, b]: [&[u64]; 4], first: u64, found: &mut [u64]) {
    for ((((found, d), e), a), b) in found.iter_mut().zip(d).zip(e).zip(a).zip(b) {
        *found ^= d & b ^ (a ^ d & first) & e;
    }
}

/// Writes shares of x · y, as bytes, to `out`; messages of `total` bits opened x ^ a and y ^ b.
///
/// # Errors
/// As [`Share::message`].
pub fn multiply_bits(
    (own, peer, total): (&[u8], &[u8], usize),
    factors: Factors<'_>,
    first: bool,
    out: &mut [u8],
    features: Features,
) -> Result<(), Error> {
    let opened = both(own, peer, (total, 1), features)?;
    let first = if first { u64::MAX } else { 0 };
    let span = parallel::share(out.len(), BITS, features.threads(out.len(), WORTH_A_THREAD));
    parallel::each(out.chunks_mut(span).enumerate(), |(part, out)| {
        let mut buffers = Buffers::default();
        let mut lines = [0; 5].map(|_| vec![0; BITS / 64]);
        for (index, bits) in out.chunks_mut(BITS).enumerate() {
            let (at, count) = (part * span + index * BITS, bits.len());
            let [x, y, left, right, found] = &mut lines;
            opened.bits(at, count, x, &mut buffers);
            opened.bits(factors.begin + at, count, y, &mut buffers);
            factors.a.bits(at, count, left, &mut buffers.scratch);
            factors.b.bits(at, count, right, &mut buffers.scratch);
            factors.c.bits(at, count, found, &mut buffers.scratch);
            simd::widest(features, || close([x, y, left, right], first, found));
            spread(found, bits, features);
        }
    });
    Ok(())
}

/// Writes the corrections of `count` products of bits to `out`.
///
/// The shares are those of a, b and, at the first party, c.
///
/// # Errors
/// [`Error::Length`] unless `out` has the bytes of so many bits.
pub fn deal_bit_products(
    a: [Share<'_>; 2],
    b: [Share<'_>; 2],
    c: Share<'_>,
    count: usize,
    out: &mut [u8],
    features: Features,
) -> Result<(), Error> {
    if out.len() != count.div_ceil(8) {
        return Err(Error::Length("corrections", count.div_ceil(8), out.len()));
    }
    let span = parallel::share(count, BITS, features.threads(count, WORTH_A_THREAD));
    parallel::each(out.chunks_mut(span / 8).enumerate(), |(part, out)| {
        let mut scratch = Scratch::default();
        let mut lines = [0; 5].map(|_| vec![0; BITS / 64]);
        for (index, bytes) in out.chunks_mut(BITS / 8).enumerate() {
            let at = part * span + index * BITS;
            let length = BITS.min(count - at);
            for (share, line) in a.iter().chain(&b).chain([&c]).zip(&mut lines) {
                share.bits(at, length, line, &mut scratch);
            }
            let [a0, a1, b0, b1, z] = &mut lines;
            simd::widest(features, || {
                for ((((z, a0), a1), b0), b1) in z.iter_mut().zip(a0).zip(a1).zip(b0).zip(b1) {
                    *z ^= (*a0 ^ *a1) & (*b0 ^ *b1);
                }
            });
            write_bits(bytes, 0, length, z);
        }
    });
    Ok(())
}

/// How two bits make the one that is dealt as a word.
#[derive(Clone, Copy)]
pub enum Combined {
    /// They are shares of it.
    Shares,
    /// They are its factors, each known to one party.
    Factors,
}

/// Writes the corrections that make `count` bits words of `bits` bits to `out`.
///
/// # Errors
/// [`Error::Length`] unless `out` has the bytes of so many words.
pub fn deal_bit_words(
    (bit, combined): ([Share<'_>; 2], Combined),
    word: Share<'_>,
    (count, bits): (usize, u32),
    out: &mut [u8],
    features: Features,
) -> Result<(), Error> {
    let due = packed_len(count, bits)?;
    if out.len() != due {
        return Err(Error::Length("corrections", due, out.len()));
    }
    let shared = matches!(combined, Combined::Shares);
    let span = parallel::share(count, CHUNK, features.threads(count, WORTH_A_THREAD));
    parallel::each(out.chunks_mut(span / 8 * bits as usize).enumerate(), |(part, out)| {
        let mut scratch = Scratch::default();
        let (mut lines, mut words) = ([[0; CHUNK / 64]; 2], vec![0; CHUNK]);
        for (index, bytes) in out.chunks_mut(CHUNK / 8 * bits as usize).enumerate() {
            let at = part * span + index * CHUNK;
            let length = CHUNK.min(count - at);
            for (share, line) in bit.iter().zip(&mut lines) {
                share.bits(at, length, line, &mut scratch);
            }
            let words = &mut words[..length];
            word.words(at, words, &mut scratch);
            let [one, other] = &lines;
            simd::widest(features, || {
                for ((words, one), other) in words.chunks_mut(64).zip(one).zip(other) {
                    correct(words, if shared { one ^ other } else { one & other });
                }
            });
            pack_groups(words, bits, bytes, features);
        }
    });
    Ok(())
}

/// Turns shares of at most 64 bits as words into what corrects them.
#[inline(always)]
fn correct(words: &mut [u64], bits: u64) {
    for (i, word) in words.iter_mut().enumerate() {
        *word = (bits >> i & 1).wrapping_sub(*word);
    }
}
