//! One tick of a protocol on shared words: masks are made, used and forgotten chunk by chunk.

#![expect(clippy::inline_always, reason = "each instruction set compiles its own copy")]

use core::ops::Range;

use crate::bits::{pack_groups, packed_len};
use crate::dealt::{CHUNK, Scratch, Share};
use crate::{Error, Features, parallel, simd};

/// Words that are worth a thread.
pub(crate) const WORTH_A_THREAD: usize = 1 << 17;

/// How a word is masked before it is opened.
#[derive(Clone, Copy)]
pub struct Masking {
    /// Whether the mask is subtracted; else it is added.
    pub subtract: bool,
    /// A public number that is added to each word.
    pub offset: u64,
    /// The bits of each word that are opened.
    pub bits: u32,
}

/// Refuses slices of different lengths.
pub(crate) fn same(name: &'static str, expected: usize, found: usize) -> Result<(), Error> {
    if expected == found { Ok(()) } else { Err(Error::Length(name, expected, found)) }
}

/// Writes the masked words of all parts, each with a share of masks, to `out`: a message.
///
/// # Errors
/// [`Error::Length`] unless `out` has the bytes of so many words, and parts and shares pair up.
pub fn mask_words(
    parts: &[&[u64]],
    masks: &[Share<'_>],
    masking: Masking,
    out: &mut [u8],
    features: Features,
) -> Result<(), Error> {
    let count = parts.iter().map(|part| part.len()).sum();
    same("masks", parts.len(), masks.len())?;
    same("message", packed_len(count, masking.bits)?, out.len())?;
    let ends = &parts[..parts.len().saturating_sub(1)];
    if !ends.iter().all(|part| part.len().is_multiple_of(8)) {
        mask_across(parts, masks, masking, out, features);
        return Ok(());
    }
    let span = parallel::share(count, CHUNK, features.threads(count, WORTH_A_THREAD));
    let (mut runs, mut rest) = (Vec::new(), out);
    for (words, share) in parts.iter().zip(masks) {
        for (index, words) in words.chunks(span).enumerate() {
            let length = (words.len() * masking.bits as usize).div_ceil(8);
            let (bytes, after) = rest.split_at_mut(length);
            runs.push((words, *share, index * span, bytes));
            rest = after;
        }
    }
    parallel::each(runs, |(words, share, at, bytes)| {
        mask_run(words, (share, at), masking, bytes, features);
    });
    Ok(())
}

/// Writes words masked, those from number `first` on, to `out`: a piece of a message.
///
/// # Errors
/// [`Error::Length`] unless `out` has the bytes of so many words, and those before fill bytes.
pub fn mask_span(
    words: &[u64],
    (mask, first): (Share<'_>, usize),
    masking: Masking,
    out: &mut [u8],
    features: Features,
) -> Result<(), Error> {
    fits(words.len(), first, masking.bits, out)?;
    mask_run(words, (mask, first), masking, out, features);
    Ok(())
}

/// Refuses a piece of another length, and one before which words do not fill bytes.
pub(crate) fn fits(count: usize, first: usize, bits: u32, out: &[u8]) -> Result<(), Error> {
    same("piece", packed_len(count, bits)?, out.len())?;
    same("words before a piece, past groups of eight", 0, first % 8)
}

/// Masks words that begin and end with whole bytes; masks are those from number `at` on.
fn mask_run(
    words: &[u64],
    mask: (Share<'_>, usize),
    masking: Masking,
    out: &mut [u8],
    features: Features,
) {
    each_mask(mask, (words.len(), masking.bits), out, features, |span, masks| {
        simd::widest(features, || {
            for (mask, word) in masks.iter_mut().zip(&words[span]) {
                *mask = masked(*word, u64::from_le_bytes(*mask), masking).to_le_bytes();
            }
        });
    });
}

/// Writes `count` masks from number `first` on to `out`, packed, once `apply` has turned each chunk of
/// them into what is sent; it is told which words these are.
pub(crate) fn each_mask(
    (share, first): (Share<'_>, usize),
    (count, bits): (usize, u32),
    out: &mut [u8],
    features: Features,
    mut apply: impl FnMut(Range<usize>, &mut [[u8; 8]]),
) {
    let (mut scratch, mut buffer) = (Scratch::default(), vec![0; CHUNK.min(count)]);
    let bytes = out.chunks_mut(CHUNK / 8 * bits as usize);
    for (at, bytes) in (0..count).step_by(CHUNK).zip(bytes) {
        let span = at..count.min(at + CHUNK);
        if bits == 64 {
            share.bytes(8 * (first + at), bytes);
            apply(span, bytes.as_chunks_mut().0);
            continue;
        }
        let masks = &mut buffer[..span.len()];
        share.words(first + at, masks, &mut scratch);
        apply(span, simd::bytes_of_mut(masks).as_chunks_mut().0);
        pack_groups(masks, bits, bytes, features);
    }
}

/// Masks parts that do not end with whole bytes.
fn mask_across(
    parts: &[&[u64]],
    masks: &[Share<'_>],
    masking: Masking,
    out: &mut [u8],
    features: Features,
) {
    let mut scratch = Scratch::default();
    let (mut buffer, mut held) = (vec![0; CHUNK], 0);
    let mut out = out.chunks_mut(CHUNK / 8 * masking.bits as usize);
    for (part, share) in parts.iter().zip(masks) {
        let mut at = 0;
        while at < part.len() {
            let length = (part.len() - at).min(CHUNK - held);
            let chunk = &mut buffer[held..held + length];
            share.words(at, chunk, &mut scratch);
            mask_chunk(&part[at..at + length], chunk, masking);
            (at, held) = (at + length, held + length);
            if held == CHUNK {
                flush(&buffer, masking.bits, &mut out, features);
                held = 0;
            }
        }
    }
    flush(&buffer[..held], masking.bits, &mut out, features);
}

/// Turns masks into masked words.
#[inline(always)]
fn mask_chunk(words: &[u64], masks: &mut [u64], masking: Masking) {
    for (mask, word) in masks.iter_mut().zip(words) {
        *mask = masked(*word, *mask, masking);
    }
}

#[inline(always)]
fn masked(word: u64, mask: u64, masking: Masking) -> u64 {
    let negate = u64::from(masking.subtract).wrapping_neg();
    let signed = (mask ^ negate).wrapping_sub(negate);
    word.wrapping_add(masking.offset).wrapping_add(signed)
}

fn flush<'a>(
    words: &[u64],
    bits: u32,
    out: &mut impl Iterator<Item = &'a mut [u8]>,
    features: Features,
) {
    if let (false, Some(bytes)) = (words.is_empty(), out.next()) {
        pack_groups(words, bits, bytes, features);
    }
}

/// What a party sent of an opened array.
#[derive(Clone, Copy)]
pub enum Own<'a> {
    /// Its message.
    Message(&'a [u8]),
    /// The words and the masks whose sums were its message.
    Made(&'a [u64], Share<'a>),
}

/// Two messages whose sum is an opened array; the second may be made of words and masks.
#[derive(Clone, Copy)]
pub(crate) struct Both<'a>([Share<'a>; 2], Option<&'a [u64]>);

pub(crate) fn both<'a>(
    own: &'a [u8],
    peer: &'a [u8],
    shape: (usize, u32),
    features: Features,
) -> Result<Both<'a>, Error> {
    opened(Own::Message(own), peer, shape, features)
}

pub(crate) fn opened<'a>(
    own: Own<'a>,
    peer: &'a [u8],
    (count, bits): (usize, u32),
    features: Features,
) -> Result<Both<'a>, Error> {
    let message = |data| Share::message(data, count, bits, features);
    let peer = message(peer)?;
    match own {
        Own::Message(own) => Ok(Both([peer, message(own)?], None)),
        Own::Made(words, masks) => {
            same("words", count, words.len())?;
            Ok(Both([peer, masks], Some(words)))
        }
    }
}

/// Buffers that a kernel keeps from chunk to chunk.
#[derive(Default)]
pub(crate) struct Buffers {
    pub(crate) scratch: Scratch,
    other: Vec<u64>,
}

impl Both<'_> {
    /// Writes the sums from number `first` on, unreduced, to `out`.
    pub(crate) fn words(self, first: usize, out: &mut [u64], buffers: &mut Buffers) {
        let Self([peer, own], words) = self;
        own.words(first, out, &mut buffers.scratch);
        if let Some(words) = words {
            add(out, words[first..].iter().copied());
        }
        if let Some(peer) = peer.lying(first) {
            add(out, peer.iter().map(|word| u64::from_le_bytes(*word)));
            return;
        }
        buffers.other.resize(out.len(), 0);
        peer.words(first, &mut buffers.other, &mut buffers.scratch);
        add(out, buffers.other.iter().copied());
    }

    /// Writes the exclusive or of `count` bits from number `first` on to `out`.
    pub(crate) fn bits(self, first: usize, count: usize, out: &mut [u64], buffers: &mut Buffers) {
        let Self([own, peer], _) = self;
        buffers.other.resize(out.len(), 0);
        own.bits(first, count, out, &mut buffers.scratch);
        peer.bits(first, count, &mut buffers.other, &mut buffers.scratch);
        for (sum, word) in out.iter_mut().zip(&buffers.other) {
            *sum ^= word;
        }
    }
}

#[inline(always)]
fn add(sums: &mut [u64], words: impl Iterator<Item = u64>) {
    for (sum, word) in sums.iter_mut().zip(words) {
        *sum = sum.wrapping_add(word);
    }
}

/// Writes this party's shares of x · y to `out`, from the messages that opened x - a and y - b.
///
/// The triple is a, b and c; the first party adds the public term.
///
/// # Errors
/// As [`Share::message`].
pub fn multiply(
    own: &[u8],
    peer: &[u8],
    triple: [Share<'_>; 3],
    (first, bits): (bool, u32),
    out: &mut [u64],
    features: Features,
) -> Result<(), Error> {
    let count = out.len();
    let opened = both(own, peer, (2 * count, bits), features)?;
    let keep = if first { u64::MAX } else { 0 };
    let span = parallel::share(count, CHUNK, features.threads(count, WORTH_A_THREAD));
    parallel::each(out.chunks_mut(span).enumerate(), |(part, out)| {
        let mut buffers = Buffers::default();
        let mut parts: [Vec<u64>; 4] = [0; 4].map(|_| vec![0; CHUNK.min(out.len())]);
        for (index, found) in out.chunks_mut(CHUNK).enumerate() {
            let at = part * span + index * CHUNK;
            let [x, y, left, right] = parts.each_mut().map(|part| &mut part[..found.len()]);
            opened.words(at, x, &mut buffers);
            opened.words(count + at, y, &mut buffers);
            for (share, part) in triple.iter().zip([&mut *left, &mut *right, &mut *found]) {
                share.words(at, part, &mut buffers.scratch);
            }
            simd::widest(features, || close([x, y, left, right], keep, found));
        }
    });
    Ok(())
}

/// Adds d·b + (a + d)·e to each share of a·b, where `keep` keeps d in the brackets.
#[inline(always)]
fn close([d, e, a, b]: [&mut [u64]; 4], keep: u64, found: &mut [u64]) {
    for ((((found, d), e), a), b) in found.iter_mut().zip(d).zip(e).zip(a).zip(b) {
        let left = a.wrapping_add(*d & keep);
        *found = found.wrapping_add(d.wrapping_mul(*b)).wrapping_add(left.wrapping_mul(*e));
    }
}

/// Writes the corrections for products of `count` pairs to `out`: a · b minus the first's share.
///
/// # Errors
/// [`Error::Length`] unless `out` has the bytes of so many words.
pub fn deal_products(
    first: [Share<'_>; 3],
    second: [Share<'_>; 2],
    (count, bits): (usize, u32),
    out: &mut [u8],
    features: Features,
) -> Result<(), Error> {
    same("corrections", packed_len(count, bits)?, out.len())?;
    let span = parallel::share(count, CHUNK, features.threads(count, WORTH_A_THREAD));
    let runs = out.chunks_mut(span / 8 * bits as usize).enumerate();
    parallel::each(runs, |(part, out)| {
        let (begin, mut scratch) = (part * span, Scratch::default());
        let mut parts = [0; 5].map(|_| vec![0; CHUNK.min(count - begin)]);
        for (index, bytes) in out.chunks_mut(CHUNK / 8 * bits as usize).enumerate() {
            let at = begin + index * CHUNK;
            let length = CHUNK.min(count - at);
            let [a0, b0, c, a1, b1] = parts.each_mut().map(|part| &mut part[..length]);
            let shares = first.iter().chain(&second);
            for (share, part) in shares.zip([&mut *a0, &mut *b0, &mut *c, &mut *a1, &mut *b1]) {
                share.words(at, part, &mut scratch);
            }
            simd::widest(features, || product_chunk(c, [a0, a1, b0, b1]));
            pack_groups(c, bits, bytes, features);
        }
    });
    Ok(())
}

/// Turns shares of products into what corrects them.
#[inline(always)]
fn product_chunk(c: &mut [u64], [a0, a1, b0, b1]: [&mut [u64]; 4]) {
    for ((((c, a0), a1), b0), b1) in c.iter_mut().zip(a0).zip(a1).zip(b0).zip(b1) {
        *c = a0.wrapping_add(*a1).wrapping_mul(b0.wrapping_add(*b1)).wrapping_sub(*c);
    }
}
