//! Comparison of opened words with dealt tables: the leaves of the tree, and the dealer's side.
//!
//! The protocol says what the tables hold and why; here is one pass over memory for each step.

use crate::columns::{self, Field, columns_len};
use crate::dealt::{CHUNK, Dealt, Share};
use crate::planes::{Digit, Kernels, LANES, WIDEST, rows_of};
use crate::products::{Both, Buffers, Own, opened, same};
use crate::{Error, Features, parallel, simd};

/// Elements whose rows are made together: rows of 2 KB.
pub(crate) const WIDE: usize = 16384;
/// Elements that are worth a thread.
pub(crate) const WORTH_A_THREAD: usize = 1 << 16;

/// The (first bit, width) of each digit of `bits` bits, most significant first.
pub(crate) fn digits(bits: u32, digit: u32) -> impl Iterator<Item = (u32, u32)> {
    (0..bits.div_ceil(digit)).map(move |index| {
        let high = bits - index * digit;
        let low = high.saturating_sub(digit);
        (low, high - low)
    })
}

/// The shape of a comparison: elements, the ring's bits, the bits compared, and a digit's bits.
#[derive(Clone, Copy)]
pub struct Comparison {
    /// Elements.
    pub count: usize,
    /// Bits of an opened word.
    pub ring: u32,
    /// Low bits that are compared.
    pub bits: u32,
    /// Bits of a digit.
    pub digit: u32,
}

impl Comparison {
    fn check(self) -> Result<(), Error> {
        if !(1..=WIDEST).contains(&self.digit) {
            return Err(Error::Bits(self.digit));
        }
        if self.ring > 64 || self.bits > self.ring || self.ring == 0 {
            return Err(Error::Bits(self.bits));
        }
        Ok(())
    }

    /// Digits.
    #[must_use]
    pub fn digits(self) -> usize {
        self.bits.div_ceil(self.digit.max(1)) as usize
    }

    /// Rows of the state that [`look_up`] makes: two for each digit, or the top bit alone.
    #[must_use]
    pub fn rows(self) -> usize {
        (2 * self.digits()).max(1)
    }

    /// The shares of the tables of all digits, which begin at field `first`.
    fn tables<B: AsRef<[u8]>>(
        self,
        dealt: &Dealt<B>,
        first: usize,
    ) -> Result<Vec<(u32, u32, Share<'_>)>, Error> {
        let places = digits(self.bits, self.digit).enumerate();
        places
            .map(|(index, (low, width))| {
                let size = rows_of(width).saturating_mul(self.count);
                Ok((low, width, dealt.share(first + index, size, 1)?))
            })
            .collect()
    }
}

/// Writes the state of a comparison after each digit was looked up to `out`.
///
/// Rows of ⌈count / 64⌉ words: shares of [c < r] for each digit, most significant first; then of
/// [c = r] for each but the last; and last the public top bit of c. c is the sum of the messages
/// less `shift`.
///
/// # Errors
/// [`Error::Bits`] for a digit wider than [`WIDEST`]; [`Error::Length`] if a size does not fit.
pub fn look_up<B: AsRef<[u8]> + Sync>(
    messages: (Own<'_>, &[u8], u64),
    (dealt, field): (&Dealt<B>, usize),
    (shape, first): (Comparison, bool),
    out: &mut [u64],
    features: Features,
) -> Result<(), Error> {
    shape.check()?;
    let (own, peer, shift) = messages;
    let found = Found {
        opened: opened(own, peer, (shape.count, shape.ring), features)?,
        shift,
        tables: shape.tables(dealt, field)?,
        shape,
        below: if first { u64::MAX } else { 0 },
        kernels: simd::plane_kernels(features),
    };
    let width = shape.count.div_ceil(64);
    same("rows", shape.rows() * width, out.len())?;
    let span = parallel::share(width, WIDE / 64, features.threads(shape.count, WORTH_A_THREAD));
    parallel::each(parallel::columns(out, width, span).enumerate(), |(part, mut rows)| {
        let begin = 64 * part * span;
        let length = (64 * span).min(shape.count - begin);
        let mut chunk = Chunk::new(shape.digit, length);
        for at in (0..length).step_by(WIDE) {
            found.rows(&mut chunk, (begin + at, WIDE.min(length - at)), at / 64, &mut rows);
        }
    });
    Ok(())
}

/// What all chunks of [`look_up`] share.
struct Found<'a> {
    opened: Both<'a>,
    shift: u64,
    tables: Vec<(u32, u32, Share<'a>)>,
    shape: Comparison,
    below: u64,
    kernels: Kernels,
}

impl Found<'_> {
    /// Writes the rows of `count` elements from number `at` on to words `to` on of each row.
    fn rows(
        &self,
        chunk: &mut Chunk,
        (at, count): (usize, usize),
        to: usize,
        rows: &mut [&mut [u64]],
    ) {
        let (words, total) = (count.div_ceil(64), self.shape.count);
        let digits = self.tables.len();
        chunk.open(self.opened, self.shift, (at, count), self.kernels);
        for (index, &(low, bits, share)) in self.tables.iter().enumerate() {
            chunk.read_table(share, rows_of(bits), total, (at, count));
            let Chunk { rows: planes, table, less, equal, row, .. } = &mut *chunk;
            let digit = Digit {
                bits: &planes[low as usize * *row..(low + bits) as usize * *row],
                table: &table[..rows_of(bits) * *row],
                below: self.below,
            };
            (self.kernels.look_up)(digit, less, equal);
            rows[index][to..to + words].copy_from_slice(&less[..words]);
            if index + 1 < digits {
                rows[digits + index][to..to + words].copy_from_slice(&equal[..words]);
            }
        }
        let top = (self.shape.ring as usize - 1) * chunk.row;
        if let Some(last) = rows.last_mut() {
            last[to..to + words].copy_from_slice(&chunk.rows[top..top + words]);
        }
    }
}

/// Buffers for the rows of up to WIDE elements.
struct Chunk {
    /// Words of a row.
    row: usize,
    words: Vec<u64>,
    rows: Vec<u64>,
    table: Vec<u64>,
    less: Vec<u64>,
    equal: Vec<u64>,
    buffers: Buffers,
}

impl Chunk {
    fn new(digit: u32, count: usize) -> Self {
        let row = count.min(WIDE).div_ceil(64).next_multiple_of(LANES);
        // Rows that lie a power of two apart would share few places of the cache.
        let row = if row.is_multiple_of(64) { row + LANES } else { row };
        Self {
            row,
            words: vec![0; CHUNK.min(64 * row)],
            rows: vec![0; 64 * row],
            table: vec![0; rows_of(digit) * row],
            less: vec![0; row],
            equal: vec![0; row],
            buffers: Buffers::default(),
        }
    }

    /// Makes the rows of `count` opened words less the shift, from number `at` on.
    fn open(
        &mut self,
        opened: Both<'_>,
        shift: u64,
        (at, count): (usize, usize),
        kernels: Kernels,
    ) {
        for from in (0..count).step_by(CHUNK) {
            let length = CHUNK.min(count - from);
            opened.words(at + from, &mut self.words[..length], &mut self.buffers);
            self.words[..length].iter_mut().for_each(|word| *word = word.wrapping_sub(shift));
            self.transpose(from, length, kernels);
        }
    }

    /// Makes the rows of `count` masks: the sums of two shares.
    fn combine(&mut self, shares: [Share<'_>; 2], (at, count): (usize, usize), kernels: Kernels) {
        let mut other = vec![0; CHUNK.min(count)];
        for from in (0..count).step_by(CHUNK) {
            let length = CHUNK.min(count - from);
            shares[0].words(at + from, &mut self.words[..length], &mut self.buffers.scratch);
            shares[1].words(at + from, &mut other[..length], &mut self.buffers.scratch);
            for (sum, word) in self.words[..length].iter_mut().zip(&other) {
                *sum = sum.wrapping_add(*word);
            }
            self.transpose(from, length, kernels);
        }
    }

    /// Turns `length` words into columns of the rows, from column `from` on.
    fn transpose(&mut self, from: usize, length: usize, kernels: Kernels) {
        let padded = length.next_multiple_of(64);
        self.words[length..padded].fill(0);
        (kernels.transpose)(&self.words[..padded], &mut self.rows[from / 64..], self.row);
    }

    fn read_table(
        &mut self,
        share: Share<'_>,
        rows: usize,
        total: usize,
        (at, count): (usize, usize),
    ) {
        let scratch = &mut self.buffers.scratch;
        for (index, row) in self.table.chunks_exact_mut(self.row).take(rows).enumerate() {
            share.bits(index * total + at, count, row, scratch);
        }
    }
}

/// The tables, after the row of top bits if asked for.
fn fields(shape: Comparison, top: bool) -> Result<Vec<Field>, Error> {
    shape.check()?;
    let widths = digits(shape.bits, shape.digit).map(|(_, width)| width);
    let widths = top.then_some(1).into_iter().chain(widths);
    Ok(widths.map(|width| Field { rows: rows_of(width), bits: 1 }).collect())
}

/// The bytes of the corrections of the tables, after those of the top bits if asked for.
///
/// # Errors
/// As [`look_up`].
pub fn tables_len(shape: Comparison, top: bool) -> Result<usize, Error> {
    columns_len(&fields(shape, top)?, shape.count)
}

/// Writes the corrections of the tables of r, whose shares are field 0, to `out`.
///
/// `field` is the number of the first table; with `top` a row of the top bits of r goes first.
///
/// # Errors
/// As [`look_up`].
pub fn deal_tables<B: AsRef<[u8]> + Sync>(
    (first, second): (&Dealt<B>, &Dealt<B>),
    (shape, field): (Comparison, usize),
    top: bool,
    out: &mut [u8],
    features: Features,
) -> Result<(), Error> {
    let fields = fields(shape, top)?;
    let kernels = simd::plane_kernels(features);
    let count = shape.count;
    let masks = [first.share(0, count, shape.ring)?, second.share(0, count, shape.ring)?];
    let mut tables = shape.tables(first, field)?;
    if top {
        tables.insert(0, (shape.ring - 1, 1, first.share(field - 1, count, 1)?));
    }
    columns::write(&fields, (count, WORTH_A_THREAD), out, features, |mut part| {
        let mut chunk = Chunk::new(shape.digit, part.count);
        let mut table = vec![0; chunk.table.len()];
        for from in (0..part.count).step_by(WIDE) {
            let size = WIDE.min(part.count - from);
            let here = (part.begin + from, size.min(count - part.begin - from));
            chunk.combine(masks, here, kernels);
            for (index, &(low, bits, share)) in tables.iter().enumerate() {
                let rows = rows_of(bits);
                chunk.read_table(share, rows, count, here);
                let Chunk { rows: planes, table: shares, row, .. } = &chunk;
                let digit = &planes[low as usize * row..(low + bits) as usize * row];
                (kernels.tables)(digit, &mut table[..rows * row], *row);
                let lines = table.chunks_exact_mut(*row).zip(shares.chunks_exact(*row));
                for (place, (line, share)) in lines.take(rows).enumerate() {
                    line.iter_mut().zip(share).for_each(|(value, share)| *value ^= share);
                    part.put_bits((index, place), from, (line, size));
                }
            }
        }
    })
}
