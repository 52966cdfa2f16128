//! Walks down the trees of many keys at once: a level is one pass.

#![expect(clippy::inline_always, reason = "each instruction set compiles its own copy")]

use crate::dealt::Share;
use crate::dpf::{Keys, Words};
use crate::hash::{BlockHash, Job, LANES};
use crate::products::Buffers;
use crate::simd;

/// Words of which the lowest bit does not belong to a seed.
const SEED: u64 = !1;

/// What a party learns shares of at a public point v: [r = v], or [r ≤ v].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Picked {
    Point,
    Prefix,
}

/// The correction words of one level for a chunk of keys.
pub(crate) struct Level {
    pub(crate) low: Vec<u64>,
    pub(crate) left: Vec<u64>,
    pub(crate) right: Vec<u64>,
    pub(crate) roots: Vec<u64>,
    pub(crate) buffers: Buffers,
}

impl Level {
    pub(crate) fn new(chunk: usize) -> Self {
        let [left, right] = [0; 2].map(|_| vec![0; chunk.div_ceil(64)]);
        Self {
            low: vec![0; chunk.next_multiple_of(64)],
            left,
            right,
            roots: vec![0; 2 * chunk],
            buffers: Buffers::default(),
        }
    }

    pub(crate) fn read(
        &mut self,
        words: Words<'_>,
        keys: Keys,
        depth: usize,
        (at, size): (usize, usize),
    ) {
        let (scratch, from) = (&mut self.buffers.scratch, depth * keys.count + at);
        words.low.words(from, &mut self.low[..size], scratch);
        words.flips.bits(from, size, &mut self.left, scratch);
        words.flips.bits(keys.depth() * keys.count + from, size, &mut self.right, scratch);
    }
}
/// The walks of a chunk of keys to one point each.
pub(crate) struct Walk {
    pub(crate) point: Vec<u64>,
    pub(crate) sides: Vec<u64>,
    low: Vec<u64>,
    high: Vec<u64>,
    pub(crate) bit: Vec<u64>,
    pub(crate) parity: Vec<u64>,
}

impl Walk {
    pub(crate) fn new(chunk: usize) -> Self {
        let row = chunk.div_ceil(64);
        let [point, sides, low, high] = [0; 4].map(|_| vec![0; 64 * row]);
        let [bit, parity] = [0; 2].map(|_| vec![0; row]);
        Self { point, sides, low, high, bit, parity }
    }

    pub(crate) fn begin(&mut self, roots: &[u64], first: bool) {
        begin(roots, &mut self.low, &mut self.high);
        self.bit.fill(if first { 0 } else { u64::MAX });
        self.parity.fill(0);
    }

    pub(crate) fn step<'a>(
        &'a mut self,
        (level, high): (&'a Level, &'a [[u8; 8]]),
        place: usize,
        (padded, next): (usize, [&'a [u8]; 2]),
    ) -> Step<'a> {
        let row = self.bit.len();
        Step {
            level,
            high,
            next,
            side: &self.sides[place * row..(place + 1) * row],
            seeds: (&mut self.low[..padded], &mut self.high[..padded]),
            bit: &mut self.bit,
            parity: &mut self.parity,
        }
    }

    pub(crate) fn leaf<'a>(
        &'a mut self,
        last: &'a [[u8; 16]],
        (picked, places): (Picked, u64),
        padded: usize,
    ) -> Leaf<'a> {
        Leaf {
            last,
            point: &self.point,
            places,
            seeds: (&mut self.low[..padded], &mut self.high[..padded]),
            bit: &self.bit,
            parity: &mut self.parity,
            picked,
        }
    }

    /// Turns shares of [r ≤ c] into those of the top bit of c - r.
    pub(crate) fn sign(
        &mut self,
        (top, at, size): (Share<'_>, usize, usize),
        (ring, first): (u32, bool),
        buffers: &mut Buffers,
    ) {
        let high = &self.sides[(ring as usize - 1) * self.bit.len()..];
        top.bits(at, size, &mut self.bit, &mut buffers.scratch);
        for ((sign, top), high) in self.parity.iter_mut().zip(&self.bit).zip(high) {
            *sign ^= top ^ if first { !high } else { 0 };
        }
    }
}

/// The words of seeds apart, from roots.
pub(crate) fn begin(roots: &[u64], low: &mut [u64], high: &mut [u64]) {
    for ((low, high), [root, other]) in low.iter_mut().zip(high).zip(roots.as_chunks().0) {
        (*low, *high) = (root & SEED, *other);
    }
}

/// One level down: the seed and bit of a child, and whether what is left of it holds r.
pub(crate) struct Step<'a> {
    level: &'a Level,
    high: &'a [[u8; 8]],
    next: [&'a [u8]; 2],
    side: &'a [u64],
    seeds: (&'a mut [u64], &'a mut [u64]),
    bit: &'a mut [u64],
    parity: &'a mut [u64],
}

impl Job for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn run<H: BlockHash>(self, hash: H) {
        let Level { low, left, right, .. } = self.level;
        let words = low.chunks(64).zip(self.high.chunks(64));
        let seeds = self.seeds.0.chunks_mut(64).zip(self.seeds.1.chunks_mut(64));
        for (at, (seeds, words)) in seeds.zip(words).enumerate() {
            for data in self.next {
                simd::prefetch(data.get(512 * at..512 * (at + 1)).unwrap_or_default());
            }
            let (side, gate) = (self.side[at], self.bit[at]);
            let child = step(hash, seeds, words, (side, gate));
            let flip = left[at] ^ side & (left[at] ^ right[at]);
            let child = child ^ gate & flip;
            self.parity[at] ^= side & (gate ^ child);
            self.bit[at] = child;
        }
    }
}

/// The corrected seeds of at most 64 children; the bits before they are corrected.
#[inline(always)]
fn step<H: BlockHash>(
    hash: H,
    (low, high): (&mut [u64], &mut [u64]),
    (words, others): (&[u64], &[[u8; 8]]),
    (side, gate): (u64, u64),
) -> u64 {
    let groups = low.as_chunks_mut::<LANES>().0.iter_mut().zip(high.as_chunks_mut().0);
    let (others, rest) = others.as_chunks::<LANES>();
    let mut last = [[0; 8]; LANES];
    last[..rest.len()].copy_from_slice(rest);
    let words = words.as_chunks::<LANES>().0.iter().zip(others.iter().chain([&last]));
    let mut child = 0;
    for (group, ((low, high), (word, other))) in groups.zip(words).enumerate() {
        let (side, gate) = (side >> (LANES * group), gate >> (LANES * group));
        hash.add_where(side, low, &[1; LANES]);
        hash.hash(low, high);
        child |= hash.take_lowest(low) << (LANES * group);
        hash.add_where(gate, low, &word.map(|word| word << 1));
        hash.add_where(gate, high, &other.map(u64::from_le_bytes));
    }
    child
}

/// The blocks, and what of them is looked for.
pub(crate) struct Leaf<'a> {
    last: &'a [[u8; 16]],
    point: &'a [u64],
    places: u64,
    seeds: (&'a mut [u64], &'a mut [u64]),
    bit: &'a [u64],
    parity: &'a mut [u64],
    picked: Picked,
}

impl Job for Leaf<'_> {
    type Output = ();

    #[inline(always)]
    fn run<H: BlockHash>(self, hash: H) {
        let (lows, highs) = self.seeds;
        let groups = lows.as_chunks_mut::<LANES>().0.iter_mut().zip(highs.as_chunks_mut().0);
        if self.picked == Picked::Point {
            self.parity.fill(0);
        }
        for (group, ((low, high), last)) in groups.zip(self.last.chunks(LANES)).enumerate() {
            hash.hash(low, high);
            for (i, last) in last.iter().enumerate() {
                let at = group * LANES + i;
                let gate = (self.bit[at / 64] >> (at % 64) & 1).wrapping_neg();
                let (below, above) = picked(self.point[at] & self.places, self.picked);
                let (word, other) = halves(*last);
                let found = (low[i] ^ gate & word) & below ^ (high[i] ^ gate & other) & above;
                self.parity[at / 64] ^= u64::from(found.count_ones() & 1) << (at % 64);
            }
        }
    }
}

/// The low and the high word of a block.
#[inline(always)]
fn halves(block: [u8; 16]) -> (u64, u64) {
    let (words, _) = block.as_chunks();
    (u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1]))
}

/// The bit of a block at a place, or the bits up to it.
#[inline(always)]
fn picked(point: u64, picked: Picked) -> (u64, u64) {
    let bit = 1 << (point & 63);
    let up_to = bit | (bit - 1);
    let upper = (point >> 6 & 1).wrapping_neg();
    match picked {
        Picked::Point => (bit & !upper, bit & upper),
        Picked::Prefix => (up_to | upper, up_to & upper),
    }
}
