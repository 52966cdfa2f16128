//! Equality with a secret word, digit by digit: each is dealt as a word with one bit set.

#![expect(clippy::inline_always, reason = "each instruction set compiles its own copy")]

use crate::columns::{self, Field, columns_len};
use crate::compare::digits;
use crate::dealt::{CHUNK, Dealt, Scratch, Share};
use crate::planes::WIDEST;
use crate::products::{Buffers, both, same};
use crate::{Error, Features, parallel, simd};

/// Elements that are worth a thread.
const WORTH_A_THREAD: usize = 1 << 15;

/// How many words, their bits, and the bits of a digit.
#[derive(Clone, Copy)]
pub struct Digits {
    /// Words.
    pub count: usize,
    /// Bits of a word.
    pub ring: u32,
    /// Bits of a digit.
    pub digit: u32,
}

impl Digits {
    fn check(self) -> Result<(), Error> {
        match self {
            Self { ring: 1..=64, digit: 1..=WIDEST, .. } => Ok(()),
            Self { digit, .. } => Err(Error::Bits(digit)),
        }
    }

    /// How many digits.
    ///
    /// # Errors
    /// [`Error::Bits`] for a digit of no bits or more than 6.
    pub fn number(self) -> Result<usize, Error> {
        self.check()?;
        Ok(self.ring.div_ceil(self.digit) as usize)
    }

    /// First bit and width of each digit, and the share of its words, from field 1 on.
    fn shares<B: AsRef<[u8]>>(self, dealt: &Dealt<B>) -> Result<Vec<(u32, u32, Share<'_>)>, Error> {
        self.check()?;
        digits(self.ring, self.digit)
            .enumerate()
            .map(|(index, (low, width))| {
                Ok((low, width, dealt.share(1 + index, self.count, 1 << width)?))
            })
            .collect()
    }

    fn fields(self) -> Result<Vec<Field>, Error> {
        self.check()?;
        let widths = digits(self.ring, self.digit).map(|(_, width)| width);
        Ok(widths.map(|width| Field { rows: 1, bits: 1 << width }).collect())
    }
}

/// The bytes of a word with one bit set for each digit.
///
/// # Errors
/// As [`Digits::number`].
pub fn digits_len(shape: Digits) -> Result<usize, Error> {
    columns_len(&shape.fields()?, shape.count)
}

/// Writes the corrections of the words whose one set bit is a digit of r, field 0, to `out`.
///
/// # Errors
/// As [`digits_len`]; [`Error::Length`] if a size does not fit.
pub fn deal_digits<B: AsRef<[u8]> + Sync>(
    (first, second): (&Dealt<B>, &Dealt<B>),
    shape: Digits,
    out: &mut [u8],
    features: Features,
) -> Result<(), Error> {
    let Digits { count, ring, .. } = shape;
    let masks = [first.share(0, count, ring)?, second.share(0, count, ring)?];
    let shares = shape.shares(first)?;
    columns::write(&shape.fields()?, (count, WORTH_A_THREAD), out, features, |mut part| {
        let mut scratch = Scratch::default();
        let [mut r, mut other, mut words] = [0; 3].map(|_| vec![0; CHUNK.min(part.count)]);
        for from in (0..part.count).step_by(CHUNK) {
            let (at, size) = (part.begin + from, CHUNK.min(part.count - from));
            let known = size.min(count - at);
            masks[0].words(at, &mut r[..known], &mut scratch);
            masks[1].words(at, &mut other[..known], &mut scratch);
            r.iter_mut().zip(&other).for_each(|(r, other)| *r = r.wrapping_add(*other));
            for (index, &(low, width, share)) in shares.iter().enumerate() {
                share.words(at, &mut words[..known], &mut scratch);
                simd::widest(features, || set(&mut words, &r, (low, width)));
                part.put((index, 0), from, &words[..size]);
            }
        }
    })
}

/// Adds the bit that a digit names to each word.
#[inline(always)]
fn set(words: &mut [u64], r: &[u64], (low, width): (u32, u32)) {
    for (word, r) in words.iter_mut().zip(r) {
        *word ^= 1 << (r >> low & ((1 << width) - 1));
    }
}

/// Writes a row of shares of [c = r] for each digit to `out`; c is the sum of the messages.
///
/// # Errors
/// As [`Share::message`] and [`Digits::number`].
pub fn leaves<B: AsRef<[u8]> + Sync>(
    (own, peer): (&[u8], &[u8]),
    dealt: &Dealt<B>,
    shape: Digits,
    out: &mut [u64],
    features: Features,
) -> Result<(), Error> {
    let width = shape.count.div_ceil(64);
    same("rows", shape.number()? * width, out.len())?;
    let opened = both(own, peer, (shape.count, shape.ring), features)?;
    let shares = shape.shares(dealt)?;
    let span = parallel::share(width, CHUNK / 64, features.threads(shape.count, WORTH_A_THREAD));
    parallel::each(parallel::columns(out, width, span).enumerate(), |(part, mut rows)| {
        let mut buffers = Buffers::default();
        let [mut c, mut words] = [0; 2].map(|_| vec![0; CHUNK]);
        let length = rows.first().map_or(0, |row| row.len());
        for from in (0..length).step_by(CHUNK / 64) {
            let end = length.min(from + CHUNK / 64);
            let at = 64 * (part * span + from);
            let size = (64 * (end - from)).min(shape.count - at);
            opened.words(at, &mut c[..size], &mut buffers);
            for (row, &(low, width, share)) in rows.iter_mut().zip(&shares) {
                share.words(at, &mut words[..size], &mut buffers.scratch);
                let row = &mut row[from..end];
                simd::widest(features, || read(&words[..size], &c, (low, width), row));
            }
        }
    });
    Ok(())
}

/// The bit of each word that a digit names, as a row.
#[inline(always)]
fn read(words: &[u64], c: &[u64], (low, width): (u32, u32), row: &mut [u64]) {
    for (bits, (words, c)) in row.iter_mut().zip(words.chunks(64).zip(c.chunks(64))) {
        let found = words.iter().zip(c).enumerate();
        *bits = found.fold(0, |bits, (i, (word, c))| {
            bits | (word >> (c >> low & ((1 << width) - 1)) & 1) << i
        });
    }
}
