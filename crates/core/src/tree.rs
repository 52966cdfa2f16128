//! Gates on bits that are shared by exclusive or, and the tree that merges compared digits.

use crate::bits::write_bits;
use crate::dealt::{Dealt, Scratch, Share};
use crate::gates::close;
use crate::products::{Both, Buffers, both};
use crate::{Error, Features};

/// One level of the tree of digits: which rows of a state meet, and which pass.
#[derive(Clone, Copy)]
struct Level {
    digits: usize,
    pairs: usize,
    odd: usize,
}

impl Level {
    fn of(rows: usize) -> Result<Self, Error> {
        if rows < 4 || !rows.is_multiple_of(2) {
            return Err(Error::Length("rows of a comparison", 4, rows));
        }
        let digits = rows / 2;
        Ok(Self { digits, pairs: digits / 2, odd: digits % 2 })
    }

    /// The rows that are opened, in order: equal of high digits, less and equal of low ones.
    fn opened(self) -> impl Iterator<Item = (usize, usize)> {
        let pairs = move |row: usize, field: usize, pairs: usize| {
            (0..pairs).map(move |pair| (row + 2 * pair, field))
        };
        let equal = self.digits + self.odd;
        pairs(equal, 0, self.pairs).chain(pairs(self.odd + 1, 1, self.pairs)).chain(pairs(
            equal + 1,
            2,
            self.pairs - 1,
        ))
    }

    /// The fields of its correlation: a, the b of both products, the c of both, in bits.
    fn shares<B: AsRef<[u8]>>(
        self,
        dealt: &Dealt<B>,
        count: usize,
    ) -> Result<([Share<'_>; 3], [Share<'_>; 2]), Error> {
        let (long, short) = ((self.pairs * count, 1), ((self.pairs - 1) * count, 1));
        if self.pairs == 1 {
            let [a, b, c] = dealt.shares(0, [long; 3])?;
            return Ok(([a, b, b], [c, c]));
        }
        let [a, b, other, c, last] = dealt.shares(0, [long, long, short, long, short])?;
        Ok(([a, b, other], [c, last]))
    }
}

/// The bytes that [`mask_level`] writes for a state of so many rows.
///
/// # Errors
/// [`Error::Length`] if it is none of at least two digits.
pub fn level_len(rows: usize, count: usize) -> Result<usize, Error> {
    let level = Level::of(rows)?;
    Ok(((3 * level.pairs - 1) * count).div_ceil(8))
}

/// Writes the message of one level of the tree to `out`, of zeros.
///
/// # Errors
/// [`Error::Length`] if a size does not fit.
pub fn mask_level<B: AsRef<[u8]>>(
    (state, rows): (&[u64], usize),
    dealt: &Dealt<B>,
    count: usize,
    out: &mut [u8],
) -> Result<(), Error> {
    let width = count.div_ceil(64);
    let level = Level::of(rows)?;
    if state.len() != rows * width {
        return Err(Error::Length("rows", rows * width, state.len()));
    }
    let (masks, _) = level.shares(dealt, count)?;
    if out.len() != level_len(rows, count)? {
        return Err(Error::Length("message", level_len(rows, count)?, out.len()));
    }
    let (mut scratch, mut line) = (Scratch::default(), vec![0; width]);
    let (mut at, mut begun) = (0, [0; 3]);
    for (row, field) in level.opened() {
        masks[field].bits(begun[field], count, &mut line, &mut scratch);
        line.iter_mut().zip(&state[row * width..]).for_each(|(mask, bit)| *mask ^= bit);
        write_bits(out, at, count, &line);
        (at, begun[field]) = (at + count, begun[field] + count);
    }
    Ok(())
}

/// The rows of a state after one level.
///
/// # Errors
/// [`Error::Length`] if it is none of at least two digits.
pub fn merged_rows(rows: usize) -> Result<usize, Error> {
    let level = Level::of(rows)?;
    Ok(2 * (level.digits - level.pairs))
}

/// Writes the state after one level to `out`: less' = less ^ equal · less of the low digit, and
/// equal' = equal · equal.
///
/// # Errors
/// [`Error::Length`] or [`Error::TrailingBits`] if a size does not fit.
pub fn merge_level<B: AsRef<[u8]>>(
    (state, rows): (&[u64], usize),
    (own, peer): (&[u8], &[u8]),
    dealt: &Dealt<B>,
    (count, first): (usize, bool),
    out: &mut [u64],
    features: Features,
) -> Result<(), Error> {
    let width = count.div_ceil(64);
    let level = Level::of(rows)?;
    if state.len() != rows * width {
        return Err(Error::Length("rows", rows * width, state.len()));
    }
    let (masks, products) = level.shares(dealt, count)?;
    let opened = both(own, peer, ((3 * level.pairs - 1) * count, 1), features)?;
    let Level { digits, pairs, odd } = level;
    if out.len() != merged_rows(rows)? * width {
        return Err(Error::Length("rows", merged_rows(rows)? * width, out.len()));
    }
    let row = |index: usize| &state[index * width..(index + 1) * width];
    let mut gates = Gates::new(opened, (masks, products), (count, first));
    let mut lines = out.chunks_exact_mut(width.max(1));
    for (passed, line) in (0..odd).zip(&mut lines) {
        line.copy_from_slice(row(passed));
    }
    for (pair, line) in (0..pairs).zip(&mut lines) {
        gates.product(pair, pairs + pair, 0, line);
        line.iter_mut().zip(row(odd + 2 * pair)).for_each(|(less, high)| *less ^= high);
    }
    for (passed, line) in (0..odd).zip(&mut lines) {
        line.copy_from_slice(row(digits + passed));
    }
    for (pair, line) in (0..pairs - 1).zip(&mut lines) {
        gates.product(pair, 2 * pairs + pair, 1, line);
    }
    lines.for_each(|line| line.copy_from_slice(row(2 * digits - 1)));
    Ok(())
}

/// Products of rows of bits that were opened with masks.
struct Gates<'a> {
    opened: Both<'a>,
    masks: [Share<'a>; 3],
    products: [Share<'a>; 2],
    count: usize,
    first: u64,
    buffers: Buffers,
    lines: [Vec<u64>; 4],
}

impl<'a> Gates<'a> {
    fn new(
        opened: Both<'a>,
        (masks, products): ([Share<'a>; 3], [Share<'a>; 2]),
        (count, first): (usize, bool),
    ) -> Self {
        let width = count.div_ceil(64);
        Self {
            opened,
            masks,
            products,
            count,
            first: if first { u64::MAX } else { 0 },
            buffers: Buffers::default(),
            lines: core::array::from_fn(|_| vec![0; width]),
        }
    }

    /// Writes x · y = c ^ d·b ^ (a ^ d)·e, for row `pair` of x and row `row` of y as opened.
    fn product(&mut self, pair: usize, row: usize, which: usize, found: &mut [u64]) {
        let (count, at) = (self.count, pair * self.count);
        let [x, y, left, right] = &mut self.lines;
        self.opened.bits(at, count, x, &mut self.buffers);
        self.opened.bits(row * count, count, y, &mut self.buffers);
        self.masks[0].bits(at, count, left, &mut self.buffers.scratch);
        self.masks[1 + which].bits(at, count, right, &mut self.buffers.scratch);
        self.products[which].bits(at, count, found, &mut self.buffers.scratch);
        close([x, y, left, right], self.first, found);
    }
}
