//! Distributed point functions: one party's walk of many trees to public points.
//!
//! The protocol says what a key is and where this comes from. A level of many keys is one pass:
//! words of seeds lie apart, and a bit of each key in a row of 64 a word.

#![expect(clippy::inline_always, reason = "each instruction set compiles its own copy")]

use core::mem::take;

use crate::dealt::{Dealt, Share};
use crate::gates::spread;
use crate::hash::{BlockHash, Job, LANES};
use crate::products::{Both, Buffers, both, same};
use crate::simd::{self, FixedKey};
use crate::{Error, Features, parallel};

/// Levels that one block replaces.
pub(crate) const LEAF: u32 = 7;
pub(crate) const FIXED_KEY: [u8; 16] = *b"moiety dpf key 1";
/// Walks that are made together: long runs of each field are read, and all stays in the second cache.
pub(crate) const CHUNK: usize = 4096;
/// The fewest keys of a chunk, if there are so many: each has a walk to every point.
const LEAST: usize = 512;
/// Keys that are worth a thread.
pub(crate) const WORTH_A_THREAD: usize = 2048;

/// Words of which the lowest bit does not belong to a seed.
pub(crate) const SEED: u64 = !1;

/// How many keys, and the bits of the points of each.
#[derive(Clone, Copy)]
pub struct Keys {
    /// Keys.
    pub count: usize,
    /// Bits of a point.
    pub domain: u32,
}

/// The correction words of keys: of seeds (63 bits, 64), of bits (left, right), and of blocks.
#[derive(Clone, Copy)]
pub(crate) struct Words<'a> {
    low: Share<'a>,
    high: &'a [[u8; 8]],
    flips: Share<'a>,
    last: &'a [[u8; 16]],
}

impl Keys {
    /// Levels of the tree.
    pub(crate) fn depth(self) -> usize {
        self.domain.saturating_sub(LEAF) as usize
    }

    /// Ones in the bits of a point that tell its place in a block.
    pub(crate) fn places(self) -> u64 {
        (1 << self.domain.min(LEAF)) - 1
    }

    pub(crate) fn check(self) -> Result<(), Error> {
        if (1..=64).contains(&self.domain) { Ok(()) } else { Err(Error::Bits(self.domain)) }
    }

    /// The correction words, from field number `field` on.
    fn words<B: AsRef<[u8]>>(self, dealt: &Dealt<B>, field: usize) -> Result<Words<'_>, Error> {
        self.check()?;
        let inner = self.depth().saturating_mul(self.count);
        let blocks = (2 * self.count, 64);
        if self.depth() == 0 {
            let [last] = dealt.shares(field, [blocks])?;
            return Ok(Words {
                low: last,
                high: &[],
                flips: last,
                last: last.sent()?.as_chunks().0,
            });
        }
        let sizes = [(inner, 63), (inner, 64), (inner.saturating_mul(2), 1), blocks];
        let [low, high, flips, last] = dealt.shares(field, sizes)?;
        let (high, last) = (high.sent()?.as_chunks().0, last.sent()?.as_chunks().0);
        Ok(Words { low, high, flips, last })
    }
}

impl<'a> Words<'a> {
    /// What is read after a level: words of seeds of the next one, or of the first of more keys.
    fn soon(self, keys: Keys, (depth, at): (usize, usize), size: usize) -> Option<[&'a [u8]; 2]> {
        let last = depth + 1 == keys.depth();
        let from = if last { at + size } else { (depth + 1) * keys.count + at };
        let low = self.low.sent().ok()?.get(from * 63 / 8..)?;
        let high = self.high.get(from..)?.as_flattened();
        Some([&low[..low.len().min(8 * size)], &high[..high.len().min(8 * size)]])
    }
}

/// What a party learns shares of at a public point v: [r = v], or [r ≤ v].
#[derive(Clone, Copy, PartialEq, Eq)]
enum Picked {
    Point,
    Prefix,
}

/// A masked word and keys of its mask, once it is open: the part's fields are r, the roots of both
/// parties (each holds one), maybe others, and from number `field` on the correction words.
#[derive(Clone, Copy)]
pub struct Masked<'a> {
    /// The messages whose sum is c.
    pub messages: (&'a [u8], &'a [u8]),
    /// Elements.
    pub count: usize,
    /// Bits of c.
    pub ring: u32,
    /// The number of the first field of correction words.
    pub field: usize,
    /// Whether this is the first party.
    pub first: bool,
}

/// Writes shares of [c = r] to `out`, as bytes.
///
/// # Errors
/// As [`Share::message`] and [`Dealt::share`].
pub fn points<B: AsRef<[u8]> + Sync>(
    masked: Masked<'_>,
    dealt: &Dealt<B>,
    out: &mut [u8],
    features: Features,
) -> Result<(), Error> {
    let keys = Keys { count: masked.count, domain: masked.ring };
    let walked = Walked::new(masked, keys, dealt, Picked::Point, features)?;
    walked.all(&[0], out, None, features)
}

/// Writes shares of the top bit of c - shift - r to `out` for each shift, as rows of bytes.
///
/// The part's field 3 is the shared top bit of r; the keys are of the bits below.
///
/// # Errors
/// As [`points`].
pub fn signs<B: AsRef<[u8]> + Sync>(
    masked: Masked<'_>,
    dealt: &Dealt<B>,
    shifts: &[u64],
    out: &mut [u8],
    features: Features,
) -> Result<(), Error> {
    let keys = Keys { count: masked.count, domain: masked.ring.saturating_sub(1) };
    let walked = Walked::new(masked, keys, dealt, Picked::Prefix, features)?;
    let top = dealt.share(3, masked.count, 1)?;
    walked.all(shifts, out, Some(top), features)
}

/// What all chunks share.
#[derive(Clone, Copy)]
struct Walked<'a> {
    opened: Both<'a>,
    root: Share<'a>,
    words: Words<'a>,
    keys: Keys,
    first: bool,
    picked: Picked,
    ring: u32,
}

impl<'a> Walked<'a> {
    fn new<B: AsRef<[u8]>>(
        masked: Masked<'a>,
        keys: Keys,
        dealt: &'a Dealt<B>,
        picked: Picked,
        features: Features,
    ) -> Result<Self, Error> {
        let Masked { messages: (own, peer), count, ring, field, first } = masked;
        Ok(Self {
            words: keys.words(dealt, field)?,
            opened: both(own, peer, (count, ring), features)?,
            root: dealt.share(1 + usize::from(!first), 2 * count, 64)?,
            keys,
            first,
            picked,
            ring,
        })
    }

    /// Each thread takes a run of keys, and of every row.
    fn all(
        self,
        shifts: &[u64],
        out: &mut [u8],
        top: Option<Share<'_>>,
        features: Features,
    ) -> Result<(), Error> {
        let count = self.keys.count;
        same("bits", shifts.len() * count, out.len())?;
        let fixed = FixedKey::new(&FIXED_KEY, features);
        let span = parallel::share(count, 64, features.threads(count, WORTH_A_THREAD));
        let chunk = (CHUNK / shifts.len().max(1)).next_multiple_of(LEAST).min(span);
        parallel::each(parallel::columns(out, count, span).enumerate(), |(part, mut rows)| {
            let mut level = Level::new(chunk);
            let mut walks: Vec<_> = shifts.iter().map(|_| Walk::new(chunk)).collect();
            let length = rows.first().map_or(0, |row| row.len());
            for from in (0..length).step_by(chunk) {
                let (at, size) = (part * span + from, chunk.min(length - from));
                self.chunk((at, size), shifts, (&mut level, &mut walks), (&fixed, features));
                for (walk, row) in walks.iter_mut().zip(&mut rows) {
                    if let Some(top) = top {
                        walk.sign((top, at, size), (self.ring, self.first), &mut level.buffers);
                    }
                    spread(&walk.parity, &mut row[from..from + size], features);
                }
            }
        });
        Ok(())
    }

    /// Walks to the points c - shift; what was looked for ends as each walk's parity.
    fn chunk(
        self,
        (at, size): (usize, usize),
        shifts: &[u64],
        (level, walks): (&mut Level, &mut [Walk]),
        (fixed, features): (&FixedKey, Features),
    ) {
        let transpose = simd::plane_kernels(features).transpose;
        self.root.words(2 * at, &mut level.roots[..2 * size], &mut level.buffers.scratch);
        self.opened.words(at, &mut level.low[..size], &mut level.buffers);
        for (walk, shift) in walks.iter_mut().zip(shifts) {
            for (place, word) in walk.point.iter_mut().zip(&level.low[..size]) {
                *place = word.wrapping_sub(*shift);
            }
            transpose(&walk.point, &mut walk.sides, walk.bit.len());
            walk.begin(&level.roots, self.first);
        }
        let padded = size.next_multiple_of(LANES);
        for depth in 0..self.keys.depth() {
            level.read(self.words, self.keys, depth, (at, size));
            let place = self.keys.domain as usize - 1 - depth;
            let high = &self.words.high[depth * self.keys.count + at..][..size];
            let mut next = self.words.soon(self.keys, (depth, at), size).unwrap_or_default();
            for walk in &mut *walks {
                fixed.run(walk.step((level, high), place, (padded, take(&mut next))));
            }
        }
        for walk in walks {
            let last = &self.words.last[at..at + size];
            fixed.run(walk.leaf(last, (self.picked, self.keys.places()), padded));
        }
    }
}

/// The correction words of one level for a chunk of keys.
struct Level {
    low: Vec<u64>,
    left: Vec<u64>,
    right: Vec<u64>,
    roots: Vec<u64>,
    buffers: Buffers,
}

impl Level {
    fn new(chunk: usize) -> Self {
        let [left, right] = [0; 2].map(|_| vec![0; chunk.div_ceil(64)]);
        Self {
            low: vec![0; chunk.next_multiple_of(64)],
            left,
            right,
            roots: vec![0; 2 * chunk],
            buffers: Buffers::default(),
        }
    }

    fn read(&mut self, words: Words<'_>, keys: Keys, depth: usize, (at, size): (usize, usize)) {
        let (scratch, from) = (&mut self.buffers.scratch, depth * keys.count + at);
        words.low.words(from, &mut self.low[..size], scratch);
        words.flips.bits(from, size, &mut self.left, scratch);
        words.flips.bits(keys.depth() * keys.count + from, size, &mut self.right, scratch);
    }
}

/// The walks of a chunk of keys to one point each.
struct Walk {
    point: Vec<u64>,
    sides: Vec<u64>,
    low: Vec<u64>,
    high: Vec<u64>,
    bit: Vec<u64>,
    parity: Vec<u64>,
}

impl Walk {
    fn new(chunk: usize) -> Self {
        let row = chunk.div_ceil(64);
        let [point, sides, low, high] = [0; 4].map(|_| vec![0; 64 * row]);
        let [bit, parity] = [0; 2].map(|_| vec![0; row]);
        Self { point, sides, low, high, bit, parity }
    }

    fn begin(&mut self, roots: &[u64], first: bool) {
        begin(roots, &mut self.low, &mut self.high);
        self.bit.fill(if first { 0 } else { u64::MAX });
        self.parity.fill(0);
    }

    fn step<'a>(
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

    fn leaf<'a>(
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
    fn sign(
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
struct Step<'a> {
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
struct Leaf<'a> {
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
