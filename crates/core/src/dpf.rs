//! Distributed point functions: one party's walk of many trees to public points.
//!
//! The protocol says what a key is and where this comes from. A level of many keys is one pass:
//! words of seeds lie apart, and a bit of each key in a row of 64 a word.

use core::mem::take;

use crate::dealt::{Dealt, Share};
use crate::gates::spread;
use crate::hash::LANES;
use crate::products::{Both, both, same};
use crate::simd::{self, FixedKey};
use crate::walk::{Level, Picked, Walk};
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
    pub(crate) low: Share<'a>,
    pub(crate) high: &'a [[u8; 8]],
    pub(crate) flips: Share<'a>,
    pub(crate) last: &'a [[u8; 16]],
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
