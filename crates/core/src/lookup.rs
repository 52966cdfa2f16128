//! Tables and unit vectors that are rotated by a mask, and read at what was opened.

#![expect(clippy::inline_always, reason = "each instruction set compiles its own copy")]

use crate::bits::{pack_groups, packed_len, write_bits};
use crate::dealt::{Dealt, Scratch, Share};
use crate::gates::spread;
use crate::products::{Buffers, both, same};
use crate::{Error, Features, parallel, simd};

/// Words, or bits, that are treated together.
const CHUNK: usize = 2048;
/// Words that are worth a thread, made or read.
const WORTH_A_THREAD: usize = 1 << 16;

/// How many places, and their bits.
#[derive(Clone, Copy)]
pub struct Places {
    /// Places.
    pub count: usize,
    /// Bits of a place.
    pub bits: u32,
}

impl Places {
    /// The entries of a table.
    ///
    /// # Errors
    /// [`Error::Bits`] for no bits or more than 32.
    pub fn size(self) -> Result<usize, Error> {
        if (1..=32).contains(&self.bits) { Ok(1 << self.bits) } else { Err(Error::Bits(self.bits)) }
    }

    /// The entries of all tables.
    fn entries(self) -> Result<usize, Error> {
        self.size()?.checked_mul(self.count).ok_or(Error::StreamEnd)
    }
}

/// Places whose entries, so many of each, are treated together: a multiple of 8.
fn together(size: usize) -> usize {
    (CHUNK / size).next_multiple_of(8).max(8)
}

/// The sums of two shares of masks, of which the lowest bits count.
fn masks(
    shares: [Share<'_>; 2],
    at: usize,
    out: &mut [u64],
    other: &mut [u64],
    scratch: &mut Scratch,
) {
    let other = &mut other[..out.len()];
    shares[0].words(at, out, scratch);
    shares[1].words(at, other, scratch);
    for (mask, other) in out.iter_mut().zip(other) {
        *mask = mask.wrapping_add(*other);
    }
}

/// The bytes of a table of words of `ring` bits for each place.
///
/// # Errors
/// [`Error::Bits`] for a width out of range; [`Error::StreamEnd`] for too many.
pub fn tables_len(places: Places, ring: u32) -> Result<usize, Error> {
    packed_len(places.entries()?, ring)
}

/// Writes the corrections of the tables rotated by r, field 0, to `out`: entry v is table[v - r].
///
/// # Errors
/// As [`tables_len`]; [`Error::Length`] if a size does not fit.
pub fn deal_rotated<B: AsRef<[u8]> + Sync>(
    (first, second): (&Dealt<B>, &Dealt<B>),
    (places, ring): (Places, u32),
    table: &[u64],
    out: &mut [u8],
    features: Features,
) -> Result<(), Error> {
    let (Places { count, bits }, size) = (places, places.size()?);
    same("table", size, table.len())?;
    same("corrections", tables_len(places, ring)?, out.len())?;
    let shares = [first.share(0, count, bits)?, second.share(0, count, bits)?];
    let entries = first.share(1, places.entries()?, ring)?;
    let together = together(size);
    let span = parallel::share(count, together, features.threads(size * count, WORTH_A_THREAD));
    let bytes = |places: usize| places / 8 * size * ring as usize;
    parallel::each(out.chunks_mut(bytes(span)).enumerate(), |(part, out)| {
        let mut scratch = Scratch::default();
        let (mut r, mut other) = (vec![0; together], vec![0; together]);
        let mut words = vec![0; together * size];
        for (index, bytes) in out.chunks_mut(bytes(together)).enumerate() {
            let at = part * span + index * together;
            let number = together.min(count - at);
            masks(shares, at, &mut r[..number], &mut other, &mut scratch);
            let words = &mut words[..number * size];
            entries.words(at * size, words, &mut scratch);
            simd::widest(features, || {
                for (row, r) in words.chunks_exact_mut(size).zip(&r) {
                    rotate(row, table, r % size as u64);
                }
            });
            pack_groups(words, ring, bytes, features);
        }
    });
    Ok(())
}

/// Turns shares of a rotated table into what corrects them.
#[inline(always)]
fn rotate(row: &mut [u64], table: &[u64], by: u64) {
    let by = usize::try_from(by).unwrap_or_default();
    let (end, begin) = row.split_at_mut(by);
    let (front, back) = table.split_at(begin.len());
    for (shares, values) in [(begin, front), (end, back)] {
        for (share, value) in shares.iter_mut().zip(values) {
            *share = value.wrapping_sub(*share);
        }
    }
}

/// Writes shares of table[x] to `out`, from the messages that opened x + r; the rest is not read.
///
/// # Errors
/// As [`Share::message`] and [`tables_len`].
pub fn entries<B: AsRef<[u8]> + Sync>(
    (own, peer): (&[u8], &[u8]),
    dealt: &Dealt<B>,
    (places, ring): (Places, u32),
    out: &mut [u64],
    features: Features,
) -> Result<(), Error> {
    let (Places { count, bits }, size) = (places, places.size()?);
    same("words", count, out.len())?;
    let opened = both(own, peer, (count, bits), features)?;
    let tables = dealt.share(1, places.entries()?, ring)?;
    let span = parallel::share(count, CHUNK, features.threads(count, WORTH_A_THREAD));
    parallel::each(out.chunks_mut(span).enumerate(), |(part, out)| {
        let (mut buffers, mut c) = (Buffers::default(), vec![0; CHUNK.min(out.len())]);
        for (index, out) in out.chunks_mut(CHUNK).enumerate() {
            let at = part * span + index * CHUNK;
            let c = &mut c[..out.len()];
            opened.words(at, c, &mut buffers);
            for (i, c) in c.iter_mut().enumerate() {
                *c = ((at + i) * size) as u64 + *c % size as u64;
            }
            tables.pick(c, out, &mut buffers.scratch);
        }
    });
    Ok(())
}

/// The bytes of a vector of bits for each place.
///
/// # Errors
/// As [`tables_len`].
pub fn units_len(places: Places) -> Result<usize, Error> {
    packed_len(places.entries()?, 1)
}

/// Writes the corrections of the vectors that are 1 at r, field 0, to `out`.
///
/// # Errors
/// As [`units_len`]; [`Error::Length`] if a size does not fit.
pub fn deal_units<B: AsRef<[u8]> + Sync>(
    (first, second): (&Dealt<B>, &Dealt<B>),
    places: Places,
    out: &mut [u8],
    features: Features,
) -> Result<(), Error> {
    let (Places { count, bits }, size) = (places, places.size()?);
    same("corrections", units_len(places)?, out.len())?;
    let shares = [first.share(0, count, bits)?, second.share(0, count, bits)?];
    let vectors = first.share(1, places.entries()?, 1)?;
    let together = together(size);
    let span = parallel::share(count, together, features.threads(out.len(), WORTH_A_THREAD));
    let bytes = |places: usize| places / 8 * size;
    parallel::each(out.chunks_mut(bytes(span)).enumerate(), |(part, out)| {
        let mut scratch = Scratch::default();
        let (mut r, mut other) = (vec![0; together], vec![0; together]);
        let mut words = vec![0; (together * size).div_ceil(64)];
        for (index, out) in out.chunks_mut(bytes(together)).enumerate() {
            let at = part * span + index * together;
            let r = &mut r[..together.min(count - at)];
            masks(shares, at, r, &mut other, &mut scratch);
            vectors.bits(at * size, r.len() * size, &mut words, &mut scratch);
            r.iter()
                .enumerate()
                .for_each(|(i, r)| flip(&mut words, i * size, r % size as u64, size));
            write_bits(out, 0, r.len() * size, &words);
        }
    });
    Ok(())
}

/// Adds 1 to bit `r` of the `size` bits from bit `from` on; no address depends on r.
fn flip(words: &mut [u64], from: usize, r: u64, size: usize) {
    if size < 64 {
        words[from / 64] ^= 1 << (from as u64 % 64 + r);
        return;
    }
    for (index, word) in words[from / 64..(from + size) / 64].iter_mut().enumerate() {
        *word ^= u64::from(r / 64 == index as u64) << (r % 64);
    }
}

/// Writes shares of [x = v] for each v to `out`, as bytes, from the messages that opened x + r.
///
/// Entry v is bit c - v of the vector: the vector in reverse, rotated.
///
/// # Errors
/// As [`Share::message`] and [`units_len`].
pub fn one_hot<B: AsRef<[u8]> + Sync>(
    (own, peer): (&[u8], &[u8]),
    dealt: &Dealt<B>,
    places: Places,
    out: &mut [u8],
    features: Features,
) -> Result<(), Error> {
    let (Places { count, bits }, size) = (places, places.size()?);
    same("bits", places.entries()?, out.len())?;
    let opened = both(own, peer, (count, bits), features)?;
    let vectors = dealt.share(1, out.len(), 1)?;
    let together = together(size);
    let threads = features.threads(out.len(), 8 * WORTH_A_THREAD);
    let span = parallel::share(count, together, threads);
    parallel::each(out.chunks_mut(span * size).enumerate(), |(part, out)| {
        let (mut buffers, mut c) = (Buffers::default(), vec![0; together]);
        let mut words = vec![0; (together * size).div_ceil(64)];
        let mut row = vec![0; size.div_ceil(64)];
        for (index, out) in out.chunks_mut(together * size).enumerate() {
            let at = part * span + index * together;
            let c = &mut c[..out.len() / size];
            opened.words(at, c, &mut buffers);
            vectors.bits(at * size, out.len(), &mut words, &mut buffers.scratch);
            for (i, (c, out)) in c.iter().zip(out.chunks_exact_mut(size)).enumerate() {
                let c = usize::try_from(c % size as u64).unwrap_or_default();
                turn(&words, i * size, size - 1 - c, size, &mut row);
                spread(&row, out, features);
            }
        }
    });
    Ok(())
}

/// Writes `size` bits from bit `from` on, a power of two, in reverse and then rotated, to `row`.
fn turn(words: &[u64], from: usize, by: usize, size: usize, row: &mut [u64]) {
    let joined = |low: u64, high: u64, by: usize, width: usize| {
        // Zero is no shift by a whole word.
        low >> by | high << (width - by - 1) << 1
    };
    if let [word] = row {
        let reversed = (words[from / 64] >> (from % 64)).reverse_bits() >> (64 - size);
        *word = joined(reversed, reversed, by, size);
        return;
    }
    let words = &words[from / 64..(from + size) / 64];
    let reversed = |at: usize| words[words.len() - 1 - at % words.len()].reverse_bits();
    let (skip, shift) = (by / 64, by % 64);
    for (at, word) in row.iter_mut().enumerate() {
        *word = joined(reversed(at + skip), reversed(at + skip + 1), shift, 64);
    }
}
