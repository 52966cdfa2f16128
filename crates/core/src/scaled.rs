//! Products of shared bits with shared words: bits · x, and a public line for each interval.
//!
//! With dealt bits r and words b, d = bit ^ r and e = x - b are open. The bit as a word is w, or
//! 1 - w where d is 1, for a share w of r; the product is that times e, plus r · b, or b - r · b.

#![expect(clippy::inline_always, reason = "each instruction set compiles its own copy")]

use crate::dealt::{CHUNK, Dealt, Scratch, Share};
use crate::products::{Both, Buffers, WORTH_A_THREAD, both, same};
use crate::simd::{self, Work};
use crate::{Error, Features, parallel};

/// How many bits and words were opened, and the bits of a word.
#[derive(Clone, Copy)]
pub struct Opening {
    /// Bits.
    pub bits: usize,
    /// Words.
    pub words: usize,
    /// Bits of a word.
    pub ring: u32,
}

impl Opening {
    /// The sums of two messages, each of bits, padded to bytes, and of words.
    fn both<'a>(
        self,
        (own, peer): (&'a [u8], &'a [u8]),
        features: Features,
    ) -> Result<[Both<'a>; 2], Error> {
        let border = self.bits.div_ceil(8);
        let split = |data: &'a [u8]| {
            data.split_at_checked(border).ok_or(Error::Length("message", border, data.len()))
        };
        let ((bits, words), (others, rest)) = (split(own)?, split(peer)?);
        let opened = both(bits, others, (self.bits, 1), features)?;
        Ok([opened, both(words, rest, (self.words, self.ring), features)?])
    }
}

/// Lines: in interval j, told by how many bits are 0, `slopes[j] · x + offsets[j]`.
#[derive(Clone, Copy)]
pub struct Lines<'a> {
    /// One more than there are bits for each element.
    pub slopes: &'a [u64],
    /// As many.
    pub offsets: &'a [u64],
}

/// Writes shares of the line at x to `out`; the part is r in rows, b, r as words, and r · b in rows.
///
/// Bits [x < cut] of rising cuts lie in rows.
///
/// # Errors
/// As [`Share::message`] and [`Dealt::share`].
pub fn lines<B: AsRef<[u8]> + Sync>(
    messages: (&[u8], &[u8]),
    (dealt, ring, first): (&Dealt<B>, u32, bool),
    (x, lines): (&[u64], Lines<'_>),
    out: &mut [u64],
    features: Features,
) -> Result<(), Error> {
    let (count, Lines { slopes, offsets }) = (out.len(), lines);
    same("words", count, x.len())?;
    same("offsets", slopes.len(), offsets.len())?;
    let (Some((&slope, _)), Some((&offset, _))) = (slopes.split_last(), offsets.split_last())
    else {
        return Err(Error::Length("lines", 1, 0));
    };
    let cuts = slopes.len() - 1;
    let opening = Opening { bits: cuts * count, words: count, ring };
    let [d, e] = opening.both(messages, features)?;
    let sizes = [(count, ring), (cuts * count, ring), (cuts * count, ring)];
    let [b, bit, product] = dealt.shares(1, sizes)?;
    let (one, public) = if first { (1, offset) } else { (0, 0) };
    let span = parallel::share(count, CHUNK, features.threads(count, WORTH_A_THREAD));
    let runs = x.chunks(span).zip(out.chunks_mut(span)).enumerate();
    parallel::each(runs, |(part, (x, out))| {
        let (mut buffers, mut flags) = (Buffers::default(), vec![0; CHUNK / 64]);
        let mut parts = [0; 4].map(|_| vec![0; CHUNK.min(out.len())]);
        for (index, (x, y)) in x.chunks(CHUNK).zip(out.chunks_mut(CHUNK)).enumerate() {
            let at = part * span + index * CHUNK;
            let [opened, mask, words, products] = parts.each_mut().map(|part| &mut part[..y.len()]);
            e.words(at, opened, &mut buffers);
            b.words(at, mask, &mut buffers.scratch);
            simd::widest(features, || begin(slope, x, public, y));
            for (cut, (pair, offsets)) in slopes.windows(2).zip(offsets.windows(2)).enumerate() {
                let from = cut * count + at;
                d.bits(from, y.len(), &mut flags, &mut buffers);
                bit.words(from, words, &mut buffers.scratch);
                product.words(from, products, &mut buffers.scratch);
                let rises = [pair[0].wrapping_sub(pair[1]), offsets[0].wrapping_sub(offsets[1])];
                let dealt = [&*opened, mask, words, products];
                simd::widest(features, Line { flags: &flags, dealt, rises, one, y });
            }
        }
    });
    Ok(())
}

#[inline(always)]
fn begin(slope: u64, x: &[u64], offset: u64, y: &mut [u64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y = slope.wrapping_mul(*x).wrapping_add(offset);
    }
}

/// Adds the rises of slope and offset at one cut where its bit is 1.
struct Line<'a> {
    flags: &'a [u64],
    /// e, b, r as words, r · b.
    dealt: [&'a [u64]; 4],
    rises: [u64; 2],
    one: u64,
    y: &'a mut [u64],
}

impl Work for Line<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { flags, dealt: [e, b, words, products], rises: [slope, offset], one, y } = self;
        let dealt = e.chunks(64).zip(b.chunks(64));
        let dealt = dealt.zip(words.chunks(64)).zip(products.chunks(64));
        for ((flags, y), (((e, b), words), products)) in
            flags.iter().zip(y.chunks_mut(64)).zip(dealt)
        {
            let dealt = e.iter().zip(b).zip(words).zip(products);
            for (i, (y, (((e, b), word), product))) in y.iter_mut().zip(dealt).enumerate() {
                let gate = (flags >> i & 1).wrapping_neg();
                let bit = unmasked(gate, one, *word);
                let scaled = bit.wrapping_mul(*e).wrapping_add(unmasked(gate, *b, *product));
                let rise = slope.wrapping_mul(scaled).wrapping_add(offset.wrapping_mul(bit));
                *y = y.wrapping_add(rise);
            }
        }
    }
}

/// The share, or `one` less it where the gate is all ones.
#[inline(always)]
fn unmasked(gate: u64, one: u64, share: u64) -> u64 {
    (share ^ gate).wrapping_sub(gate).wrapping_add(one & gate)
}

/// A dimension of a product, and how far its next entry lies among the bits and the words.
#[derive(Clone, Copy)]
pub struct Axis {
    /// Entries.
    pub size: usize,
    /// Between bits; 0 where they are the same.
    pub bits: usize,
    /// Between words.
    pub words: usize,
}

/// Writes shares of bits · x to `out`; the part is r, b, r as words, and r · b, as many as products.
///
/// The axes say which bit meets which word, the last varying fastest.
///
/// # Errors
/// As [`Share::message`] and [`Dealt::share`]; [`Error::Length`] if the axes have another size.
pub fn scale<B: AsRef<[u8]> + Sync>(
    messages: (&[u8], &[u8]),
    (dealt, opening, first): (&Dealt<B>, Opening, bool),
    axes: &[Axis],
    out: &mut [u64],
    features: Features,
) -> Result<(), Error> {
    let Opening { bits, words, ring } = opening;
    let [d, e] = opening.both(messages, features)?;
    let [b, bit, product] = dealt.shares(1, [(words, ring), (bits, ring), (out.len(), ring)])?;
    let one = u64::from(first);
    check(axes, opening, out.len())?;
    let (inner, runs) = innermost(axes);
    if runs.is_empty() && (inner.bits, inner.words) == (1, 1) {
        let dealt = [b, bit, product];
        same_places([d, e], dealt, one, out, features);
        return Ok(());
    }
    let mut held =
        Held { gates: vec![0; bits], bits: vec![0; bits], e: vec![0; words], b: vec![0; words] };
    held.read([d, e], [b, bit], one);
    product.write_words(out);
    for (run, begin) in out.chunks_mut(inner.size.max(1)).zip(places(runs)) {
        simd::widest(features, Run { held: &held, begin, axis: inner, found: run });
    }
    Ok(())
}

/// The axis that varies fastest, and the others; without any, one of a single entry.
pub(crate) fn innermost(axes: &[Axis]) -> (Axis, &[Axis]) {
    match axes.split_last() {
        Some((inner, outer)) => (*inner, outer),
        None => (Axis { size: 1, bits: 0, words: 0 }, &[]),
    }
}

/// The bit and the word at each entry of the axes, the last varying fastest.
pub(crate) fn places(axes: &[Axis]) -> impl Iterator<Item = [usize; 2]> {
    let count = axes.iter().map(|axis| axis.size).product::<usize>();
    let mut entries = vec![0; axes.len()];
    (0..count).map(move |_| {
        let at = |step: fn(&Axis) -> usize| {
            entries.iter().zip(axes).map(|(entry, axis)| entry * step(axis)).sum()
        };
        let found = [at(|axis| axis.bits), at(|axis| axis.words)];
        for (entry, axis) in entries.iter_mut().zip(axes).rev() {
            *entry += 1;
            if *entry < axis.size {
                break;
            }
            *entry = 0;
        }
        found
    })
}

/// Refuses axes that lead past the last bit or word, or to another number of products.
pub(crate) fn check(axes: &[Axis], opening: Opening, count: usize) -> Result<(), Error> {
    let (mut size, mut bits, mut words) = (1usize, 0usize, 0usize);
    for axis in axes {
        let last = axis.size.saturating_sub(1);
        size = size.saturating_mul(axis.size);
        bits = bits.saturating_add(last.saturating_mul(axis.bits));
        words = words.saturating_add(last.saturating_mul(axis.words));
    }
    same("products", size, count)?;
    if count > 0 && (bits >= opening.bits || words >= opening.words) {
        return Err(Error::Length("bits and words", bits.max(words) + 1, opening.bits));
    }
    Ok(())
}

/// [`scale`] where bit i meets word i.
fn same_places(
    [d, e]: [Both<'_>; 2],
    [b, bit, product]: [Share<'_>; 3],
    one: u64,
    out: &mut [u64],
    features: Features,
) {
    let span = parallel::share(out.len(), CHUNK, features.threads(out.len(), WORTH_A_THREAD));
    parallel::each(out.chunks_mut(span).enumerate(), |(part, out)| {
        let (mut buffers, mut flags) = (Buffers::default(), vec![0; CHUNK / 64]);
        let mut parts = [0; 4].map(|_| vec![0; CHUNK.min(out.len())]);
        for (index, y) in out.chunks_mut(CHUNK).enumerate() {
            let at = part * span + index * CHUNK;
            let [opened, mask, words, products] = parts.each_mut().map(|part| &mut part[..y.len()]);
            d.bits(at, y.len(), &mut flags, &mut buffers);
            e.words(at, opened, &mut buffers);
            for (share, part) in [(b, &mut *mask), (bit, &mut *words), (product, &mut *products)] {
                share.words(at, part, &mut buffers.scratch);
            }
            y.fill(0);
            let dealt = [&*opened, mask, words, products];
            simd::widest(features, Line { flags: &flags, dealt, rises: [1, 0], one, y });
        }
    });
}

/// What was opened and dealt of every bit and word.
struct Held {
    gates: Vec<u64>,
    bits: Vec<u64>,
    e: Vec<u64>,
    b: Vec<u64>,
}

impl Held {
    fn read(&mut self, [d, e]: [Both<'_>; 2], [b, bit]: [Share<'_>; 2], one: u64) {
        let (mut buffers, mut scratch) = (Buffers::default(), Scratch::default());
        let mut flags = vec![0; self.bits.len().div_ceil(64)];
        d.bits(0, self.bits.len(), &mut flags, &mut buffers);
        e.words(0, &mut self.e, &mut buffers);
        b.words(0, &mut self.b, &mut scratch);
        bit.words(0, &mut self.bits, &mut scratch);
        for (i, (gate, bit)) in self.gates.iter_mut().zip(&mut self.bits).enumerate() {
            *gate = (flags[i / 64] >> (i % 64) & 1).wrapping_neg();
            *bit = unmasked(*gate, one, *bit);
        }
    }
}

/// Turns a run of shares of r · b into products; bits and words begin there, and go on by the axis.
struct Run<'a> {
    held: &'a Held,
    begin: [usize; 2],
    axis: Axis,
    found: &'a mut [u64],
}

impl Work for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { held: Held { gates, bits, e, b }, begin, axis, found } = self;
        let [mut bit, mut word] = begin;
        for y in found {
            let product = unmasked(gates[bit], b[word], *y);
            *y = bits[bit].wrapping_mul(e[word]).wrapping_add(product);
            (bit, word) = (bit + axis.bits, word + axis.words);
        }
    }
}
