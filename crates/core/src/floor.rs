//! Exact division by a power of two, from an opened word and what was dealt of its mask.

#![expect(clippy::inline_always, reason = "each instruction set compiles its own copy")]

use crate::columns::{self, Field, columns_len};
use crate::dealt::{CHUNK, Dealt, Scratch};
use crate::products::{Buffers, WORTH_A_THREAD, both, same};
use crate::{Error, Features, parallel, simd};

/// How many words, their bits, and how many of these are dropped.
#[derive(Clone, Copy)]
pub struct Floor {
    /// Words.
    pub count: usize,
    /// Bits of an opened word.
    pub ring: u32,
    /// Bits that are dropped.
    pub shift: u32,
}

impl Floor {
    /// The mask without the bits that are dropped, in 64 bits, and its top bit, in fewer.
    fn fields(self) -> Result<[Field; 2], Error> {
        let Self { ring, shift, .. } = self;
        if !(2..=64).contains(&ring) || shift == 0 || shift + 2 > ring {
            return Err(Error::Bits(shift));
        }
        Ok([64, 64 - ring + shift].map(|bits| Field { rows: 1, bits: bits as usize }))
    }
}

/// The bytes that [`deal_floor_words`] writes.
///
/// # Errors
/// [`Error::Bits`] unless 1 ≤ shift ≤ ring - 2.
pub fn floor_words_len(floor: Floor) -> Result<usize, Error> {
    columns_len(&floor.fields()?, floor.count)
}

/// Writes the corrections of r >> shift and of the top bit of r, fields 1 and 2, to `out`.
///
/// # Errors
/// As [`floor_words_len`]; [`Error::Length`] if a size does not fit.
pub fn deal_floor_words<B: AsRef<[u8]> + Sync>(
    (first, second): (&Dealt<B>, &Dealt<B>),
    floor: Floor,
    out: &mut [u8],
    features: Features,
) -> Result<(), Error> {
    let Floor { count, ring, shift } = floor;
    let fields = floor.fields()?;
    let masks = [first.share(0, count, ring)?, second.share(0, count, ring)?];
    let shares = first.shares(1, [(count, 64), (count, 64 - ring + shift)])?;
    columns::write(&fields, (count, WORTH_A_THREAD), out, features, |mut part| {
        let mut scratch = Scratch::default();
        let mut lines = [0; 4].map(|_| vec![0; CHUNK.min(part.count)]);
        for from in (0..part.count).step_by(CHUNK) {
            let (at, size) = (part.begin + from, CHUNK.min(part.count - from));
            let known = size.min(count - at);
            for (share, line) in masks.iter().chain(&shares).zip(&mut lines) {
                share.words(at, &mut line[..known], &mut scratch);
            }
            let [mask, other, high, top] = &mut lines;
            simd::widest(features, || correct([mask, other, high, top], (ring, shift)));
            part.put((0, 0), from, &high[..size]);
            part.put((1, 0), from, &top[..size]);
        }
    })
}

/// Turns shares of a mask's upper bits, and of its top bit, into what corrects them.
#[inline(always)]
fn correct([mask, other, high, top]: [&mut Vec<u64>; 4], (ring, shift): (u32, u32)) {
    for (((mask, other), high), top) in mask.iter().zip(other).zip(high).zip(top) {
        let r = mask.wrapping_add(*other) & (u64::MAX >> (64 - ring));
        *high = (r >> shift).wrapping_sub(*high);
        *top = (r >> (ring - 1)).wrapping_sub(*top);
    }
}

/// Writes shares of ⌊x / 2^shift⌋ to `out`, from c = x + 2^(ring-2) + r, opened, and shares of
/// [c < r] on the bits that are dropped.
///
/// # Errors
/// As [`floor_words_len`] and [`crate::dealt::Share::message`].
pub fn floor_words<B: AsRef<[u8]> + Sync>(
    (own, peer, borrow): (&[u8], &[u8], &[u64]),
    (dealt, first): (&Dealt<B>, bool),
    floor: Floor,
    out: &mut [u64],
    features: Features,
) -> Result<(), Error> {
    let Floor { count, ring, shift } = floor;
    floor.fields()?;
    same("words", count, borrow.len())?;
    same("words", count, out.len())?;
    let opened = both(own, peer, (count, ring), features)?;
    let [high, top] = dealt.shares(1, [(count, 64), (count, 64 - ring + shift)])?;
    let span = parallel::share(count, CHUNK, features.threads(count, WORTH_A_THREAD));
    parallel::each(
        borrow.chunks(span).zip(out.chunks_mut(span)).enumerate(),
        |(part, (less, out))| {
            let mut buffers = Buffers::default();
            let mut lines = [0; 3].map(|_| vec![0; CHUNK.min(out.len())]);
            for (index, (less, y)) in less.chunks(CHUNK).zip(out.chunks_mut(CHUNK)).enumerate() {
                let at = part * span + index * CHUNK;
                let [c, highs, tops] = lines.each_mut().map(|line| &mut line[..y.len()]);
                opened.words(at, c, &mut buffers);
                high.words(at, highs, &mut buffers.scratch);
                top.words(at, tops, &mut buffers.scratch);
                simd::widest(features, || divide([c, highs, tops], less, (ring, shift, first), y));
            }
        },
    );
    Ok(())
}

/// One chunk of [`floor_words`].
#[inline(always)]
fn divide(
    [c, highs, tops]: [&mut [u64]; 3],
    less: &[u64],
    (ring, shift, first): (u32, u32, bool),
    y: &mut [u64],
) {
    let keep = if first { u64::MAX } else { 0 };
    let offset = 1 << (ring - 2 - shift);
    for ((y, less), ((c, high), top)) in y.iter_mut().zip(less).zip(c.iter().zip(highs).zip(tops)) {
        let c = c & (u64::MAX >> (64 - ring));
        let wrap = *top << (ring - shift) & (c >> (ring - 1)).wrapping_sub(1);
        let public = (c >> shift).wrapping_sub(offset) & keep;
        *y = wrap.wrapping_sub(*high).wrapping_sub(*less).wrapping_add(public);
    }
}
