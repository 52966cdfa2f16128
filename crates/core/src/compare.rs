//! Comparison of opened words with dealt tables: the leaves of the tree, and the dealer's side.
//!
//! The protocol says what the tables hold and why; here is one pass over memory for each step.

use crate::bits::write_bits;
use crate::dealt::{CHUNK, Dealt, Share};
use crate::planes::{Digit, Kernels, WIDEST, rows_of};
use crate::products::{Both, Buffers, both};
use crate::{Error, Features, simd};

/// Elements whose rows are made together: rows of 2 KB.
const WIDE: usize = 16384;
/// Words of such a row.
const ROW: usize = WIDE / 64;

/// The (first bit, width) of each digit of `bits` bits, most significant first.
fn digits(bits: u32, digit: u32) -> impl Iterator<Item = (u32, u32)> {
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

    /// Rows of the state that [`look_up`] makes: two for each digit, or the top bit alone.
    #[must_use]
    pub fn rows(self) -> usize {
        (2 * self.bits.div_ceil(self.digit.max(1)) as usize).max(1)
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
/// [c = r] for each but the last; and last the public top bit of c. c is the sum of the messages.
///
/// # Errors
/// [`Error::Bits`] for a digit wider than [`WIDEST`]; [`Error::Length`] if a size does not fit.
pub fn look_up<B: AsRef<[u8]>>(
    (own, peer): (&[u8], &[u8]),
    (dealt, field): (&Dealt<B>, usize),
    (shape, first): (Comparison, bool),
    out: &mut [u64],
    features: Features,
) -> Result<(), Error> {
    shape.check()?;
    let opened = both(own, peer, (shape.count, shape.ring), features)?;
    let tables = shape.tables(dealt, field)?;
    let kernels = simd::plane_kernels(features);
    let width = shape.count.div_ceil(64);
    if out.len() != shape.rows() * width {
        return Err(Error::Length("rows", shape.rows() * width, out.len()));
    }
    let mut chunk = Chunk::new(rows_of(shape.digit));
    for at in (0..shape.count).step_by(WIDE) {
        let count = WIDE.min(shape.count - at);
        chunk.open(opened, at, count, kernels);
        let span = at / 64..at / 64 + count.div_ceil(64);
        for (index, &(low, bits, share)) in tables.iter().enumerate() {
            chunk.read_table(share, rows_of(bits), shape.count, at, count);
            let digit = Digit {
                bits: &chunk.rows[low as usize * ROW..(low + bits) as usize * ROW],
                table: &chunk.table[..rows_of(bits) * ROW],
                below: if first { u64::MAX } else { 0 },
            };
            (kernels.look_up)(digit, &mut chunk.less, &mut chunk.equal);
            let row = |index: usize| index * width + span.start..index * width + span.end;
            out[row(index)].copy_from_slice(&chunk.less[..span.len()]);
            if index + 1 < tables.len() {
                out[row(tables.len() + index)].copy_from_slice(&chunk.equal[..span.len()]);
            }
        }
        let top = (shape.ring as usize - 1) * ROW;
        let row = (shape.rows() - 1) * width;
        out[row + span.start..row + span.end].copy_from_slice(&chunk.rows[top..top + span.len()]);
    }
    Ok(())
}

/// Buffers for the rows of up to WIDE elements.
struct Chunk {
    words: Vec<u64>,
    rows: Vec<u64>,
    table: Vec<u64>,
    less: Vec<u64>,
    equal: Vec<u64>,
    buffers: Buffers,
}

impl Chunk {
    fn new(table: usize) -> Self {
        Self {
            words: vec![0; CHUNK],
            rows: vec![0; 64 * ROW],
            table: vec![0; table * ROW],
            less: vec![0; ROW],
            equal: vec![0; ROW],
            buffers: Buffers::default(),
        }
    }

    /// Makes the rows of `count` opened words from number `at` on.
    fn open(&mut self, opened: Both<'_>, at: usize, count: usize, kernels: Kernels) {
        for from in (0..count).step_by(CHUNK) {
            let length = CHUNK.min(count - from);
            opened.words(at + from, &mut self.words[..length], &mut self.buffers);
            self.words[length..].fill(0);
            (kernels.transpose)(&self.words, &mut self.rows[from / 64..], ROW);
        }
    }

    /// Makes the rows of `count` masks: the sums of two shares.
    fn combine(&mut self, shares: [Share<'_>; 2], at: usize, count: usize, kernels: Kernels) {
        let mut other = vec![0; CHUNK];
        for from in (0..count).step_by(CHUNK) {
            let length = CHUNK.min(count - from);
            shares[0].words(at + from, &mut self.words[..length], &mut self.buffers.scratch);
            shares[1].words(at + from, &mut other[..length], &mut self.buffers.scratch);
            for (sum, word) in self.words[..length].iter_mut().zip(&other) {
                *sum = sum.wrapping_add(*word);
            }
            self.words[length..].fill(0);
            (kernels.transpose)(&self.words, &mut self.rows[from / 64..], ROW);
        }
    }

    fn read_table(&mut self, share: Share<'_>, rows: usize, total: usize, at: usize, count: usize) {
        let scratch = &mut self.buffers.scratch;
        for (index, row) in self.table.chunks_exact_mut(ROW).take(rows).enumerate() {
            share.bits(index * total + at, count, row, scratch);
        }
    }
}

/// The bytes of the corrections of the tables, after those of the top bits if asked for.
///
/// # Errors
/// As [`look_up`].
pub fn tables_len(shape: Comparison, top: bool) -> Result<usize, Error> {
    shape.check()?;
    let widths = digits(shape.bits, shape.digit).map(|(_, width)| width).chain(top.then_some(1));
    Ok(widths.map(|width| (rows_of(width) * shape.count).div_ceil(8)).sum())
}

/// Writes the corrections of the tables of r, whose shares are field 0, to `out`, of zeros.
///
/// `field` is the number of the first table; with `top` a row of the top bits of r goes first.
///
/// # Errors
/// As [`look_up`].
pub fn deal_tables<B: AsRef<[u8]>>(
    (first, second): (&Dealt<B>, &Dealt<B>),
    (shape, field): (Comparison, usize),
    top: bool,
    out: &mut [u8],
    features: Features,
) -> Result<(), Error> {
    shape.check()?;
    let kernels = simd::plane_kernels(features);
    let count = shape.count;
    let masks = [first.share(0, count, shape.ring)?, second.share(0, count, shape.ring)?];
    let mut tops =
        if top { vec![(shape.ring - 1, 1, first.share(field - 1, count, 1)?)] } else { vec![] };
    tops.extend(shape.tables(first, field)?);
    let due = tables_len(shape, top)?;
    if out.len() != due {
        return Err(Error::Length("corrections", due, out.len()));
    }
    let mut chunk = Chunk::new(rows_of(shape.digit));
    let mut table = vec![0; rows_of(shape.digit) * ROW];
    for at in (0..count).step_by(WIDE) {
        let length = WIDE.min(count - at);
        chunk.combine(masks, at, length, kernels);
        let mut begin = 0;
        for &(low, bits, share) in &tops {
            let rows = rows_of(bits);
            chunk.read_table(share, rows, count, at, length);
            let digit = &chunk.rows[low as usize * ROW..(low + bits) as usize * ROW];
            (kernels.tables)(digit, &mut table[..rows * ROW], ROW);
            let end = begin + (rows * count).div_ceil(8);
            let lines = table.chunks_exact_mut(ROW).zip(chunk.table.chunks_exact(ROW));
            for (index, (line, share)) in lines.take(rows).enumerate() {
                line.iter_mut().zip(share).for_each(|(value, share)| *value ^= share);
                write_bits(&mut out[begin..end], index * count + at, length, line);
            }
            begin = end;
        }
    }
    Ok(())
}
