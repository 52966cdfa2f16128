//! Bits side by side: a row holds one bit of each element, 64 elements a word.
//!
//! So a gate works on 64 elements at once, and on more in vectors.

#![expect(clippy::inline_always, reason = "each instruction set compiles its own copy")]

use crate::bits::transpose64;

/// Words of a row that vector code treats together; rows are padded to a multiple.
pub(crate) const LANES: usize = 8;
/// The widest digit.
pub(crate) const WIDEST: u32 = 6;

type Lane = [u64; LANES];

/// The inner loops for one instruction set. Rows lie one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Kernels {
    /// Blocks of 64 words to columns of rows, which have the given words from one to the next.
    pub(crate) transpose: fn(&[u64], &mut [u64], usize),
    /// Shares of [c < r] and [c = r] of one digit.
    pub(crate) look_up: fn(Digit<'_>, &mut [u64], &mut [u64]),
    /// The table of a secret digit from its bits, both as rows of so many words.
    pub(crate) tables: fn(&[u64], &mut [u64], usize),
}

impl Kernels {
    pub(crate) const PORTABLE: Self = Self {
        transpose: |words, rows, width| transpose(words, rows, width),
        look_up: |digit, less, equal| look_up(digit, less, equal),
        tables: |bits, table, width| tables(bits, table, width),
    };
}

/// A public digit c, and shares of the table [v < r] of a secret one.
#[derive(Clone, Copy)]
pub(crate) struct Digit<'a> {
    /// The rows of the bits of c, least significant first.
    pub(crate) bits: &'a [u64],
    /// The rows of the table, v = 0 first.
    pub(crate) table: &'a [u64],
    /// This party's share of [-1 < r]: all ones at the first party, else zero.
    pub(crate) below: u64,
}

/// The rows of a table for digits of `width` bits: no digit exceeds the last v.
pub(crate) fn rows_of(width: u32) -> usize {
    (1 << width) - 1
}

/// Any processor's [`Kernels::transpose`].
pub(crate) fn transpose(words: &[u64], rows: &mut [u64], width: usize) {
    let (blocks, _) = words.as_chunks::<64>();
    for (at, block) in blocks.iter().enumerate() {
        let mut block = *block;
        transpose64(&mut block);
        for (row, word) in rows.chunks_mut(width).zip(block) {
            row[at] = word;
        }
    }
}

/// Calls a function with the most entries of a table that a bit chooses between, as a constant.
macro_rules! at_width {
    ($bits:expr, $function:ident $arguments:tt) => {
        match $bits {
            1 => $function::<1> $arguments,
            2 => $function::<2> $arguments,
            3 => $function::<4> $arguments,
            4 => $function::<8> $arguments,
            5 => $function::<16> $arguments,
            _ => $function::<32> $arguments,
        }
    };
}

/// Any processor's [`Kernels::look_up`]; compiled again for each instruction set.
///
/// [c < r] is entry c of the table, [c = r] = [c - 1 < r] ^ [c < r].
#[inline(always)]
pub(crate) fn look_up(digit: Digit<'_>, less: &mut [u64], equal: &mut [u64]) {
    at_width!(digit.bits.len() / less.len(), look_up_half(digit, less, equal));
}

#[inline(always)]
fn look_up_half<const HALF: usize>(digit: Digit<'_>, less: &mut [u64], equal: &mut [u64]) {
    let (table, _) = digit.table.as_chunks::<LANES>();
    let (bits, _) = digit.bits.as_chunks::<LANES>();
    let (less, equal) = (less.as_chunks_mut::<LANES>().0, equal.as_chunks_mut::<LANES>().0);
    let width = less.len();
    for (at, (less, equal)) in less.iter_mut().zip(equal).enumerate() {
        let bit = bits[at];
        let mut here = [[0; LANES]; HALF];
        let mut before = [[0; LANES]; HALF];
        let mut last = [digit.below; LANES];
        for pair in 0..HALF {
            let low = table[2 * pair * width + at];
            let high =
                if pair + 1 < HALF { table[(2 * pair + 1) * width + at] } else { [0; LANES] };
            here[pair] = choose(bit, low, high);
            before[pair] = choose(bit, last, low);
            last = high;
        }
        let (mut half, mut level) = (HALF / 2, 1);
        while half > 0 {
            let bit = bits[level * width + at];
            for p in 0..half {
                here[p] = choose(bit, here[2 * p], here[2 * p + 1]);
                before[p] = choose(bit, before[2 * p], before[2 * p + 1]);
            }
            (half, level) = (half / 2, level + 1);
        }
        *less = here[0];
        *equal = gate(here[0], before[0], |x, y| x ^ y);
    }
}

/// The second where the bit is 1, else the first.
#[inline(always)]
fn choose(bit: Lane, low: Lane, high: Lane) -> Lane {
    let mut chosen = low;
    for i in 0..LANES {
        chosen[i] ^= bit[i] & (low[i] ^ high[i]);
    }
    chosen
}

#[inline(always)]
fn gate(x: Lane, y: Lane, gate: impl Fn(u64, u64) -> u64) -> Lane {
    let mut found = x;
    for i in 0..LANES {
        found[i] = gate(x[i], y[i]);
    }
    found
}

/// Any processor's [`Kernels::tables`]; compiled again for each instruction set.
///
/// With one more bit s on top of a table T of 2^k - 1 rows: s | T[v], then s, then s & T[v].
#[inline(always)]
pub(crate) fn tables(bits: &[u64], table: &mut [u64], width: usize) {
    at_width!(bits.len() / width, tables_half(bits, table, width));
}

#[inline(always)]
fn tables_half<const HALF: usize>(bits: &[u64], table: &mut [u64], width: usize) {
    let (bits, _) = bits.as_chunks::<LANES>();
    let (table, _) = table.as_chunks_mut::<LANES>();
    let width = width / LANES;
    for at in 0..width {
        let mut rows = [[0; LANES]; HALF];
        let (mut filled, mut level) = (0, 0);
        while filled < HALF - 1 {
            let bit = bits[level * width + at];
            for v in 0..filled {
                rows[filled + 1 + v] = gate(bit, rows[v], |s, t| s & t);
                rows[v] = gate(bit, rows[v], |s, t| s | t);
            }
            rows[filled] = bit;
            (filled, level) = (2 * filled + 1, level + 1);
        }
        let top = bits[level * width + at];
        for (v, row) in rows[..HALF - 1].iter().enumerate() {
            table[v * width + at] = gate(top, *row, |s, t| s | t);
            table[(HALF + v) * width + at] = gate(top, *row, |s, t| s & t);
        }
        table[(HALF - 1) * width + at] = top;
    }
}
