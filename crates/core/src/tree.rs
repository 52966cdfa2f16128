//! Gates on bits that are shared by exclusive or, and the trees that merge what digits tell.

#![expect(clippy::inline_always, reason = "each instruction set compiles its own copy")]

use crate::columns::{self, Field, columns_len};
use crate::compare::{WIDE, WORTH_A_THREAD};
use crate::dealt::{Dealt, Scratch, Share};
use crate::gates::close;
use crate::products::same;
use crate::{Error, Features, parallel, simd};

/// What a tree merges.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Tree {
    /// Comparisons of digits: rows of [c < r] for each, most significant first, of [c = r] for each
    /// but the last, and one that passes.
    Less,
    /// Bits that must all be 1, a row for each digit.
    All,
}

/// One level of a tree: which rows of a state meet, and which pass.
#[derive(Clone, Copy)]
struct Level {
    tree: Tree,
    digits: usize,
    pairs: usize,
    odd: usize,
}

/// A row after a level.
#[derive(Clone, Copy)]
enum Merged {
    /// A row as it was.
    Passed(usize),
    /// The product of pair number `pair`, with the opened row `other`, by the masks and products
    /// number `which`, maybe added to a row.
    Product { pair: usize, other: usize, which: usize, to: Option<usize> },
}

impl Level {
    fn of((tree, rows): (Tree, usize)) -> Result<Self, Error> {
        let digits = match tree {
            Tree::Less if rows >= 4 && rows.is_multiple_of(2) => rows / 2,
            Tree::All if rows >= 2 => rows,
            Tree::Less => return Err(Error::Length("rows of a comparison", 4, rows)),
            Tree::All => return Err(Error::Length("rows of bits", 2, rows)),
        };
        Ok(Self { tree, digits, pairs: digits / 2, odd: digits % 2 })
    }

    /// The rows that are opened, in order, and whose mask: the common factors of each pair first.
    ///
    /// In a comparison those are equal of the high digits; less and equal of the low ones follow.
    fn opened(self) -> Vec<(usize, usize)> {
        let Self { tree, digits, pairs, odd } = self;
        let rows = |first: usize, step: usize, number: usize, mask: usize| {
            (0..number).map(move |pair| (first + step * pair, mask))
        };
        match tree {
            Tree::All => rows(0, 1, pairs, 0).chain(rows(pairs, 1, pairs, 1)).collect(),
            Tree::Less => rows(digits + odd, 2, pairs, 0)
                .chain(rows(odd + 1, 2, pairs, 1))
                .chain(rows(digits + odd + 1, 2, pairs - 1, 2))
                .collect(),
        }
    }

    /// The rows of the state after the level.
    fn merged(self) -> Vec<Merged> {
        let Self { tree, digits, pairs, odd } = self;
        let products = |which: usize, number: usize| {
            (0..number).map(move |pair| {
                let to = (tree == Tree::Less && which == 0).then_some(odd + 2 * pair);
                Merged::Product { pair, other: (1 + which) * pairs + pair, which, to }
            })
        };
        let passed = |from: usize, number: usize| (from..from + number).map(Merged::Passed);
        match tree {
            Tree::All => products(0, pairs).chain(passed(2 * pairs, odd)).collect(),
            Tree::Less => passed(0, odd)
                .chain(products(0, pairs))
                .chain(passed(digits, odd))
                .chain(products(1, pairs - 1))
                .chain(passed(2 * digits - 1, 1))
                .collect(),
        }
    }

    /// The message: rows of bits.
    fn field(self) -> Field {
        Field { rows: self.opened().len(), bits: 1 }
    }

    /// The fields of its correlation: a, the b of one product or two, and the c of each, in bits.
    fn shares<B: AsRef<[u8]>>(
        self,
        dealt: &Dealt<B>,
        count: usize,
    ) -> Result<([Share<'_>; 3], [Share<'_>; 2]), Error> {
        let size = |pairs: usize| (pairs.saturating_mul(count), 1);
        if self.pairs == 1 || self.tree == Tree::All {
            let [a, b, c] = dealt.shares(0, [size(self.pairs); 3])?;
            return Ok(([a, b, b], [c, c]));
        }
        let (long, short) = (size(self.pairs), size(self.pairs - 1));
        let [a, b, other, c, last] = dealt.shares(0, [long, long, short, long, short])?;
        Ok(([a, b, other], [c, last]))
    }
}

/// The bytes that [`mask_level`] writes for a state of so many rows.
///
/// # Errors
/// [`Error::Length`] if it is none of at least two digits.
pub fn level_len(state: (Tree, usize), count: usize) -> Result<usize, Error> {
    columns_len(&[Level::of(state)?.field()], count)
}

/// Writes the message of one level of the tree to `out`.
///
/// # Errors
/// [`Error::Length`] if a size does not fit.
pub fn mask_level<B: AsRef<[u8]> + Sync>(
    (state, tree, rows): (&[u64], Tree, usize),
    dealt: &Dealt<B>,
    count: usize,
    out: &mut [u8],
    features: Features,
) -> Result<(), Error> {
    let width = count.div_ceil(64);
    let level = Level::of((tree, rows))?;
    same("rows", rows * width, state.len())?;
    let ((masks, _), opened) = (level.shares(dealt, count)?, level.opened());
    columns::write(&[level.field()], (count, WORTH_A_THREAD), out, features, |mut part| {
        let (mut scratch, mut line) =
            (Scratch::default(), vec![0; part.count.min(WIDE).div_ceil(64)]);
        for from in (0..part.count).step_by(WIDE) {
            let (at, size) = (part.begin + from, WIDE.min(part.count - from));
            let known = size.min(count - at);
            let mut begun = [0; 3];
            for (index, &(row, field)) in opened.iter().enumerate() {
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
pub fn merged_rows(state: (Tree, usize)) -> Result<usize, Error> {
    Ok(Level::of(state)?.merged().len())
}

/// Writes the state after one level to `out`: of a comparison less' = less ^ equal · less of the low
/// digit, and equal' = equal · equal.
///
/// # Errors
/// [`Error::Length`] or [`Error::TrailingBits`] if a size does not fit.
pub fn merge_level<B: AsRef<[u8]> + Sync>(
    (state, tree, rows): (&[u64], Tree, usize),
    peer: &[u8],
    dealt: &Dealt<B>,
    (count, first): (usize, bool),
    out: &mut [u64],
    features: Features,
) -> Result<(), Error> {
    let width = count.div_ceil(64);
    let level = Level::of((tree, rows))?;
    let merged = level.merged();
    same("rows", rows * width, state.len())?;
    same("rows", merged.len() * width, out.len())?;
    let (masks, products) = level.shares(dealt, count)?;
    let opened = level.opened();
    let peer = Share::message(peer, opened.len() * count, 1, features)?;
    let first = if first { u64::MAX } else { 0 };
    let gates = Gates { state, width, opened, peer, masks, products, count, first, features };
    let span = parallel::share(width, WIDE / 64, features.threads(count, WORTH_A_THREAD));
    parallel::each(parallel::columns(out, width, span).enumerate(), |(part, mut lines)| {
        let mut chunk = Chunk::new(span.min(WIDE / 64));
        let length = lines.first().map_or(0, |line| line.len());
        for from in (0..length).step_by(WIDE / 64) {
            let (at, end) = (part * span + from, length.min(from + WIDE / 64));
            for (merged, line) in merged.iter().zip(&mut lines) {
                gates.row(*merged, at, &mut chunk, &mut line[from..end]);
            }
        }
    });
    Ok(())
}

/// What all chunks of [`merge_level`] share.
struct Gates<'a> {
    state: &'a [u64],
    width: usize,
    opened: Vec<(usize, usize)>,
    peer: Share<'a>,
    masks: [Share<'a>; 3],
    products: [Share<'a>; 2],
    count: usize,
    first: u64,
    features: Features,
}

/// Buffers for a chunk of rows.
struct Chunk {
    scratch: Scratch,
    lines: [Vec<u64>; 4],
}

impl Chunk {
    fn new(width: usize) -> Self {
        Self { scratch: Scratch::default(), lines: [0; 4].map(|_| vec![0; width]) }
    }
}

/// Turns what the peer sent of a row into the opened row: with this party's share and its mask.
#[inline(always)]
fn join(sent: &mut [u64], mask: &[u64], share: &[u64]) {
    for (word, (mask, share)) in sent.iter_mut().zip(mask.iter().zip(share)) {
        *word ^= mask ^ share;
    }
}

impl Gates<'_> {
    /// Writes words `at` on of a row after the level.
    fn row(&self, merged: Merged, at: usize, chunk: &mut Chunk, line: &mut [u64]) {
        let row = |index: usize| &self.state[index * self.width + at..][..line.len()];
        match merged {
            Merged::Passed(index) => line.copy_from_slice(row(index)),
            Merged::Product { pair, other, which, to } => {
                let to = to.map(row);
                self.product(chunk, (pair, other, which), at, line);
                for (sum, word) in line.iter_mut().zip(to.into_iter().flatten()) {
                    *sum ^= word;
                }
            }
        }
    }

    /// Writes x · y = c ^ d·b ^ (a ^ d)·e, for row `pair` of x and row `other` of y as opened.
    ///
    /// What this party sent is made again.
    fn product(
        &self,
        chunk: &mut Chunk,
        (pair, other, which): (usize, usize, usize),
        at: usize,
        found: &mut [u64],
    ) {
        let (words, length) = (found.len(), (64 * found.len()).min(self.count - 64 * at));
        let place = |row: usize| row * self.count + 64 * at;
        let shared = |row: usize| &self.state[self.opened[row].0 * self.width + at..][..words];
        let [x, y, left, right] = chunk.lines.each_mut().map(|line| &mut line[..words]);
        let scratch = &mut chunk.scratch;
        self.masks[0].bits(place(pair), length, left, scratch);
        self.masks[1 + which].bits(place(pair), length, right, scratch);
        self.products[which].bits(place(pair), length, found, scratch);
        self.peer.bits(place(pair), length, x, scratch);
        self.peer.bits(place(other), length, y, scratch);
        simd::widest(self.features, || {
            join(x, left, shared(pair));
            join(y, right, shared(other));
            close([x, y, left, right], self.first, found);
        });
    }
}
