//! The dealer's side of products of bits with words: bits as words, and their products.

#![expect(clippy::inline_always, reason = "each instruction set compiles its own copy")]

use crate::bits::{pack_groups, packed_len};
use crate::columns::{self, Field, Part};
use crate::dealt::{CHUNK, Dealt, Scratch, Share};
use crate::products::{WORTH_A_THREAD, same};
use crate::scaled::{Axis, Opening, check, innermost, places};
use crate::{Error, Features, simd};

/// The bytes of the corrections of so many bits as words, and of the products.
///
/// # Errors
/// [`Error::Bits`] for a ring out of range; [`Error::StreamEnd`] for too many.
pub fn scaled_len(opening: Opening, axes: &[Axis]) -> Result<usize, Error> {
    let count = axes.iter().try_fold(1usize, |count, axis| count.checked_mul(axis.size));
    let products = packed_len(count.ok_or(Error::StreamEnd)?, opening.ring)?;
    Ok(packed_len(opening.bits, opening.ring)? + products)
}

/// Writes the corrections of r as words, and of r · b, to `out`; the axes say what meets what.
///
/// # Errors
/// As [`scaled_len`]; [`Error::Length`] if a size does not fit.
pub fn deal_scaled<B: AsRef<[u8]> + Sync>(
    (first, second): (&Dealt<B>, &Dealt<B>),
    (opening, axes): (Opening, &[Axis]),
    out: &mut [u8],
    features: Features,
) -> Result<(), Error> {
    let Opening { bits, words, ring } = opening;
    let count = axes.iter().map(|axis| axis.size).product();
    same("corrections", scaled_len(opening, axes)?, out.len())?;
    check(axes, opening, count)?;
    let product = Product {
        r: [first.share(0, bits, 1)?, second.share(0, bits, 1)?],
        b: [first.share(1, words, ring)?, second.share(1, words, ring)?],
        shares: first.shares(2, [(bits, ring), (count, ring)])?,
        features,
    };
    match axes.split_last() {
        Some((inner, outer)) if (inner.bits, inner.words) == (1, 1) && count > 0 => {
            let rows = [bits / inner.size, count / inner.size];
            let fields = rows.map(|rows| Field { rows, bits: ring as usize });
            let begins: Vec<_> = places(outer).collect();
            columns::write(&fields, (inner.size, WORTH_A_THREAD), out, features, |mut part| {
                product.columns(&mut part, inner.size, (rows[0], &begins));
            })
        }
        _ => {
            product.all((opening, axes), out);
            Ok(())
        }
    }
}

/// What is drawn: shares of r, of b, and the first's of r as words and of r · b.
struct Product<'a> {
    r: [Share<'a>; 2],
    b: [Share<'a>; 2],
    shares: [Share<'a>; 2],
    features: Features,
}

impl Product<'_> {
    /// Some columns of rows of bits and of products, each a run of the innermost axis.
    fn columns(&self, part: &mut Part<'_>, inner: usize, (rows, begins): (usize, &[[usize; 2]])) {
        let (mut lines, length) = (Lines::default(), CHUNK.min(part.count));
        let mut words = vec![0; length];
        for from in (0..part.count).step_by(CHUNK) {
            let (at, size) = (part.begin + from, CHUNK.min(part.count - from));
            let known = size.min(inner - at);
            for row in 0..rows {
                lines.flags(self.r, row * inner + at, known);
                self.shares[0].words(row * inner + at, &mut words[..known], &mut lines.scratch);
                simd::widest(self.features, || correct(&lines.flags, None, &mut words));
                part.put((0, row), from, &words[..size]);
            }
            for (row, [bit, word]) in begins.iter().enumerate() {
                lines.flags(self.r, bit + at, known);
                lines.b(self.b, word + at, known);
                self.shares[1].words(row * inner + at, &mut words[..known], &mut lines.scratch);
                simd::widest(self.features, || correct(&lines.flags, Some(&lines.b), &mut words));
                part.put((1, row), from, &words[..size]);
            }
        }
    }

    /// Everything at once, whatever meets what.
    fn all(&self, (opening, axes): (Opening, &[Axis]), out: &mut [u8]) {
        let Opening { bits, words, ring } = opening;
        let mut lines = Lines::default();
        lines.flags(self.r, 0, bits);
        lines.b(self.b, 0, words);
        let border = (bits * ring as usize).div_ceil(8);
        let (head, tail) = out.split_at_mut(border);
        let mut values = vec![0; bits];
        self.shares[0].words(0, &mut values, &mut lines.scratch);
        correct(&lines.flags, None, &mut values);
        pack_groups(&values, ring, head, self.features);
        values.resize(axes.iter().map(|axis| axis.size).product(), 0);
        self.shares[1].words(0, &mut values, &mut lines.scratch);
        let (inner, outer) = innermost(axes);
        for (run, [mut bit, mut word]) in values.chunks_mut(inner.size.max(1)).zip(places(outer)) {
            for value in run {
                let gate = (lines.flags[bit / 64] >> (bit % 64) & 1).wrapping_neg();
                *value = (lines.b[word] & gate).wrapping_sub(*value);
                (bit, word) = (bit + inner.bits, word + inner.words);
            }
        }
        pack_groups(&values, ring, tail, self.features);
    }
}

/// Some bits r, and words b.
#[derive(Default)]
struct Lines {
    flags: Vec<u64>,
    b: Vec<u64>,
    other: Vec<u64>,
    scratch: Scratch,
}

impl Lines {
    fn flags(&mut self, shares: [Share<'_>; 2], at: usize, count: usize) {
        self.flags.resize(count.div_ceil(64), 0);
        self.other.resize(count.div_ceil(64), 0);
        shares[0].bits(at, count, &mut self.flags, &mut self.scratch);
        shares[1].bits(at, count, &mut self.other, &mut self.scratch);
        self.flags.iter_mut().zip(&self.other).for_each(|(flag, other)| *flag ^= other);
    }

    fn b(&mut self, shares: [Share<'_>; 2], at: usize, count: usize) {
        self.b.resize(count, 0);
        self.other.resize(count, 0);
        shares[0].words(at, &mut self.b, &mut self.scratch);
        shares[1].words(at, &mut self.other, &mut self.scratch);
        self.b.iter_mut().zip(&self.other).for_each(|(b, other)| *b = b.wrapping_add(*other));
    }
}

/// Turns shares of the flags, or of their products with b, into what corrects them.
#[inline(always)]
fn correct(flags: &[u64], b: Option<&[u64]>, words: &mut [u64]) {
    for (block, (flags, words)) in flags.iter().zip(words.chunks_mut(64)).enumerate() {
        match b {
            None => {
                for (i, word) in words.iter_mut().enumerate() {
                    *word = (flags >> i & 1).wrapping_sub(*word);
                }
            }
            Some(b) => {
                for (i, (word, b)) in words.iter_mut().zip(&b[64 * block..]).enumerate() {
                    *word = (b & (flags >> i & 1).wrapping_neg()).wrapping_sub(*word);
                }
            }
        }
    }
}
