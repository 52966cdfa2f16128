//! Gates on bits that are shared by exclusive or, and the tree that merges compared digits.

use crate::columns::{self, Field, columns_len};
use crate::compare::{WIDE, WORTH_A_THREAD};
use crate::dealt::{Dealt, Scratch, Share};
use crate::gates::close;
use crate::products::{Both, Buffers, both, same};
use crate::{Error, Features, parallel, simd};

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

    /// The message: rows of bits.
    fn field(self) -> Field {
        Field { rows: 3 * self.pairs - 1, bits: 1 }
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
    columns_len(&[Level::of(rows)?.field()], count)
}

/// Writes the message of one level of the tree to `out`.
///
/// # Errors
/// [`Error::Length`] if a size does not fit.
pub fn mask_level<B: AsRef<[u8]> + Sync>(
    (state, rows): (&[u64], usize),
    dealt: &Dealt<B>,
    count: usize,
    out: &mut [u8],
    features: Features,
) -> Result<(), Error> {
    let width = count.div_ceil(64);
    let level = Level::of(rows)?;
    same("rows", rows * width, state.len())?;
    let (masks, _) = level.shares(dealt, count)?;
    columns::write(&[level.field()], (count, WORTH_A_THREAD), out, features, |mut part| {
        let (mut scratch, mut line) = (Scratch::default(), vec![0; part.count.min(WIDE).div_ceil(64)]);
        for from in (0..part.count).step_by(WIDE) {
            let (at, size) = (part.begin + from, WIDE.min(part.count - from));
            let known = size.min(count - at);
            let mut begun = [0; 3];
            for (index, (row, field)) in level.opened().enumerate() {
                masks[field].bits(begun[field] + at, known, &mut line, &mut scratch);
                let bits = &state[row * width + at / 64..];
                simd::widest(features, || {
                    line.iter_mut().zip(bits).for_each(|(mask, bit)| *mask ^= bit);
                });
                part.put_bits((0, index), from, (&line, size));
                begun[field] += count;
            }
        }
    })
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
pub fn merge_level<B: AsRef<[u8]> + Sync>(
    (state, rows): (&[u64], usize),
    (own, peer): (&[u8], &[u8]),
    dealt: &Dealt<B>,
    (count, first): (usize, bool),
    out: &mut [u64],
    features: Features,
) -> Result<(), Error> {
    let width = count.div_ceil(64);
    let level = Level::of(rows)?;
    same("rows", rows * width, state.len())?;
    same("rows", merged_rows(rows)? * width, out.len())?;
    let (masks, products) = level.shares(dealt, count)?;
    let opened = both(own, peer, ((3 * level.pairs - 1) * count, 1), features)?;
    let first = if first { u64::MAX } else { 0 };
    let merged = Merged { level, state, width, opened, masks, products, count, first, features };
    let per = parallel::share(width, WIDE / 64, features.threads(count, WORTH_A_THREAD));
    parallel::each(parallel::columns(out, width, per).enumerate(), |(part, mut lines)| {
        let mut gates = Gates::new(per.min(WIDE / 64));
        let length = lines.first().map_or(0, |line| line.len());
        for from in (0..length).step_by(WIDE / 64) {
            let end = length.min(from + WIDE / 64);
            let mut lines = lines.iter_mut().map(|line| &mut line[from..end]);
            merged.rows(&mut gates, part * per + from, &mut lines);
        }
    });
    Ok(())
}

/// What all chunks of [`merge_level`] share.
struct Merged<'a> {
    level: Level,
    state: &'a [u64],
    width: usize,
    opened: Both<'a>,
    masks: [Share<'a>; 3],
    products: [Share<'a>; 2],
    count: usize,
    first: u64,
    features: Features,
}

/// Buffers for a chunk of rows.
struct Gates {
    buffers: Buffers,
    lines: [Vec<u64>; 4],
}

impl Gates {
    fn new(width: usize) -> Self {
        Self { buffers: Buffers::default(), lines: [0; 4].map(|_| vec![0; width]) }
    }
}

impl Merged<'_> {
    /// Writes words `at` on of each row.
    fn rows<'a>(
        &self,
        gates: &mut Gates,
        at: usize,
        lines: &mut impl Iterator<Item = &'a mut [u64]>,
    ) {
        let Level { digits, pairs, odd } = self.level;
        let row = |index: usize| &self.state[index * self.width + at..];
        let pass = |index: usize, line: &mut [u64]| line.copy_from_slice(&row(index)[..line.len()]);
        for (passed, line) in (0..odd).zip(&mut *lines) {
            pass(passed, line);
        }
        for (pair, line) in (0..pairs).zip(&mut *lines) {
            self.product(gates, (pair, pairs + pair, 0), at, line);
            line.iter_mut().zip(row(odd + 2 * pair)).for_each(|(less, high)| *less ^= high);
        }
        for (passed, line) in (0..odd).zip(&mut *lines) {
            pass(digits + passed, line);
        }
        for (pair, line) in (0..pairs - 1).zip(&mut *lines) {
            self.product(gates, (pair, 2 * pairs + pair, 1), at, line);
        }
        lines.for_each(|line| pass(2 * digits - 1, line));
    }

    /// Writes x · y = c ^ d·b ^ (a ^ d)·e, for row `pair` of x and row `other` of y as opened.
    fn product(
        &self,
        gates: &mut Gates,
        (pair, other, which): (usize, usize, usize),
        at: usize,
        found: &mut [u64],
    ) {
        let length = (64 * found.len()).min(self.count - 64 * at);
        let (row, other) = (pair * self.count + 64 * at, other * self.count + 64 * at);
        let [x, y, left, right] = gates.lines.each_mut().map(|line| &mut line[..found.len()]);
        let buffers = &mut gates.buffers;
        self.opened.bits(row, length, x, buffers);
        self.opened.bits(other, length, y, buffers);
        self.masks[0].bits(row, length, left, &mut buffers.scratch);
        self.masks[1 + which].bits(row, length, right, &mut buffers.scratch);
        self.products[which].bits(row, length, found, &mut buffers.scratch);
        simd::widest(self.features, || close([x, y, left, right], self.first, found));
    }
}
