//! Keys of distributed point functions: the dealer grows both parties' paths to a secret point.

#![expect(clippy::inline_always, reason = "each instruction set compiles its own copy")]

use crate::columns::{self, Field, Part, columns_len};
use crate::dealt::{Dealt, Scratch, Share};
use crate::dpf::{FIXED_KEY, Keys, WORTH_A_THREAD};
use crate::hash::{BlockHash, Job, LANES};
use crate::simd::{self, FixedKey};
use crate::walk::begin;
use crate::{Error, Features};

/// Keys that are grown together.
const CHUNK: usize = 2048;
/// The numbers of the fields.
const LOW: usize = 0;
const HIGH: usize = 1;
const FLIPS: usize = 2;
const LAST: usize = 3;

/// The correction words: of seeds' low and high words, of bits (left, right), and of blocks.
fn fields(keys: Keys) -> Result<[Field; 4], Error> {
    keys.check()?;
    let rows = keys.depth();
    Ok([(rows, 63), (rows, 64), (2 * rows, 1), (1, 128)].map(|(rows, bits)| Field { rows, bits }))
}

/// The bytes of the correction words of keys.
///
/// # Errors
/// [`Error::Bits`] for a domain of no bits or more than 64; [`Error::StreamEnd`] for too many keys.
pub fn keys_len(keys: Keys) -> Result<usize, Error> {
    columns_len(&fields(keys)?, keys.count)
}

/// Writes the correction words of keys for points r to `out`.
///
/// r is field 0 of both parts, words of `ring` bits of which the lowest count; the first party's
/// roots are field 1 of its part, the second's field 2.
///
/// # Errors
/// As [`keys_len`]; [`Error::Length`] if a size does not fit.
pub fn deal_keys<B: AsRef<[u8]> + Sync>(
    (first, second): (&Dealt<B>, &Dealt<B>),
    (keys, ring): (Keys, u32),
    out: &mut [u8],
    features: Features,
) -> Result<(), Error> {
    if keys.domain > ring {
        return Err(Error::Bits(ring));
    }
    let count = keys.count;
    let grown = Grown {
        points: [first.share(0, count, ring)?, second.share(0, count, ring)?],
        roots: [first.share(1, 2 * count, 64)?, second.share(2, 2 * count, 64)?],
        keys,
    };
    let fixed = FixedKey::new(&FIXED_KEY, features);
    columns::write(&fields(keys)?, (count, WORTH_A_THREAD), out, features, |mut part| {
        let mut paths = Paths::new(part.count.min(CHUNK));
        for at in (0..part.count).step_by(CHUNK) {
            let size = CHUNK.min(part.count - at);
            paths.begin(grown, part.begin + at, size, features);
            grown.chunk(&mut paths, (at, size), &mut part, &fixed);
        }
    })
}

/// What all chunks share.
#[derive(Clone, Copy)]
struct Grown<'a> {
    points: [Share<'a>; 2],
    roots: [Share<'a>; 2],
    keys: Keys,
}

impl Grown<'_> {
    fn chunk(
        self,
        paths: &mut Paths,
        (at, size): (usize, usize),
        part: &mut Part<'_>,
        fixed: &FixedKey,
    ) {
        let depth = self.keys.depth();
        for level in 0..depth {
            fixed.run(paths.level(self.keys.domain as usize - 1 - level, size));
            part.put((LOW, level), at, &paths.low[..size]);
            part.put((HIGH, level), at, &paths.high[..size]);
            part.put_bits((FLIPS, level), at, (&paths.left, size));
            part.put_bits((FLIPS, depth + level), at, (&paths.right, size));
        }
        fixed.run(paths.blocks(self.keys.places(), size));
        part.put((LAST, 0), at, &paths.last[..2 * size]);
    }
}

/// Both parties' paths to the points of a chunk of keys, and the words that correct a level.
struct Paths {
    point: Vec<u64>,
    sides: Vec<u64>,
    seeds: [[Vec<u64>; 2]; 2],
    bits: [Vec<u64>; 2],
    low: Vec<u64>,
    high: Vec<u64>,
    left: Vec<u64>,
    right: Vec<u64>,
    last: Vec<u64>,
    scratch: Scratch,
}

impl Paths {
    fn new(chunk: usize) -> Self {
        let row = || vec![0; chunk.div_ceil(64)];
        let words = || vec![0; chunk.next_multiple_of(64)];
        Self {
            point: words(),
            sides: words(),
            seeds: [[words(), words()], [words(), words()]],
            bits: [row(), row()],
            low: words(),
            high: words(),
            left: row(),
            right: row(),
            last: vec![0; 2 * chunk.next_multiple_of(64)],
            scratch: Scratch::default(),
        }
    }

    /// Takes up `size` points and roots from number `at` on; there may be fewer.
    fn begin(&mut self, grown: Grown<'_>, at: usize, size: usize, features: Features) {
        let Grown { points: [one, other], roots, keys } = grown;
        let size = size.min(keys.count - at);
        one.words(at, &mut self.point[..size], &mut self.scratch);
        other.words(at, &mut self.low[..size], &mut self.scratch);
        for (point, share) in self.point.iter_mut().zip(&self.low[..size]) {
            *point = point.wrapping_add(*share);
        }
        (simd::plane_kernels(features).transpose)(&self.point, &mut self.sides, self.left.len());
        for ((share, [low, high]), (bits, value)) in
            roots.into_iter().zip(&mut self.seeds).zip(self.bits.iter_mut().zip([0, u64::MAX]))
        {
            share.words(2 * at, &mut self.last[..2 * size], &mut self.scratch);
            begin(&self.last, low, high);
            bits.fill(value);
        }
    }

    fn level(&mut self, place: usize, size: usize) -> Level<'_> {
        let [[a, b], [c, d]] = &mut self.seeds;
        let row = self.left.len();
        Level {
            side: &self.sides[place * row..(place + 1) * row],
            seeds: [[a, b], [c, d]].map(|seed| seed.map(|words| &mut words[..size])),
            bits: &mut self.bits,
            words: [&mut self.low, &mut self.high],
            flips: [&mut self.left, &mut self.right],
        }
    }

    fn blocks(&mut self, places: u64, size: usize) -> Blocks<'_> {
        let [[a, b], [c, d]] = &mut self.seeds;
        let seeds = [[a, b], [c, d]].map(|seed| seed.map(|words| &mut words[..size]));
        Blocks { point: &self.point, places, seeds, last: &mut self.last }
    }
}

/// One level of both paths, and the words that correct it.
///
/// Children on the other side are made equal; on this side the bits are made to differ.
struct Level<'a> {
    side: &'a [u64],
    seeds: [[&'a mut [u64]; 2]; 2],
    bits: &'a mut [Vec<u64>; 2],
    words: [&'a mut [u64]; 2],
    flips: [&'a mut [u64]; 2],
}

impl Job for Level<'_> {
    type Output = ();

    #[inline(always)]
    fn run<H: BlockHash>(self, hash: H) {
        let [[low, high], [other_low, other_high]] = self.seeds;
        let seeds = low.chunks_mut(64).zip(high.chunks_mut(64));
        let others = other_low.chunks_mut(64).zip(other_high.chunks_mut(64));
        let [words, other_words] = self.words;
        let words = words.chunks_mut(64).zip(other_words.chunks_mut(64));
        let [left, right] = self.flips;
        let [bits, other_bits] = self.bits;
        for (at, ((seeds, others), words)) in seeds.zip(others).zip(words).enumerate() {
            let (side, gates) = (self.side[at], [bits[at], other_bits[at]]);
            let [here, other_here, there] = grow(hash, [seeds, others], words, (side, gates));
            let (kept, lost) = (here ^ other_here ^ u64::MAX, there);
            left[at] = kept ^ side & (kept ^ lost);
            right[at] = lost ^ side & (kept ^ lost);
            bits[at] = here ^ gates[0] & kept;
            other_bits[at] = other_here ^ gates[1] & kept;
        }
    }
}

type Pair<'a> = (&'a mut [u64], &'a mut [u64]);

/// The corrected seeds of at most 64 keys, and the words that correct them; the uncorrected bits
/// on the path at either party, and the sum of those beside it.
#[inline(always)]
fn grow<H: BlockHash>(
    hash: H,
    [(low, high), (other_low, other_high)]: [Pair<'_>; 2],
    (words, other_words): Pair<'_>,
    (side, gates): (u64, [u64; 2]),
) -> [u64; 3] {
    let seeds = low.as_chunks_mut::<LANES>().0.iter_mut().zip(high.as_chunks_mut().0);
    let others = other_low.as_chunks_mut::<LANES>().0.iter_mut().zip(other_high.as_chunks_mut().0);
    let words =
        words.as_chunks_mut::<LANES>().0.iter_mut().zip(other_words.as_chunks_mut::<LANES>().0);
    let mut bits = [0; 3];
    for (group, ((seed, other), (low, high))) in seeds.zip(others).zip(words).enumerate() {
        let at = LANES * group;
        let mut word = children(hash, (seed.0, seed.1), side >> at);
        let beside = children(hash, (other.0, other.1), side >> at);
        for i in 0..LANES {
            word.0[i] ^= beside.0[i];
            word.1[i] ^= beside.1[i];
        }
        let lowest = [&mut *seed.0, &mut *other.0, &mut word.0].map(|low| hash.take_lowest(low));
        for (bits, lowest) in bits.iter_mut().zip(lowest) {
            *bits |= lowest << at;
        }
        for (seed, gate) in [(seed, gates[0] >> at), (other, gates[1] >> at)] {
            hash.add_where(gate, seed.0, &word.0);
            hash.add_where(gate, seed.1, &word.1);
        }
        (*low, *high) = (word.0.map(|low| low >> 1), word.1);
    }
    bits
}

/// Turns seeds into the hashes for the children on the path; returns those for the others.
#[inline(always)]
fn children<H: BlockHash>(
    hash: H,
    (low, high): (&mut [u64; LANES], &mut [u64; LANES]),
    side: u64,
) -> ([u64; LANES], [u64; LANES]) {
    let mut others = (*low, *high);
    hash.add_where(side, low, &[1; LANES]);
    hash.add_where(!side, &mut others.0, &[1; LANES]);
    hash.hash(low, high);
    hash.hash(&mut others.0, &mut others.1);
    others
}

/// The words that make the blocks differ at the point alone.
struct Blocks<'a> {
    point: &'a [u64],
    places: u64,
    seeds: [[&'a mut [u64]; 2]; 2],
    last: &'a mut [u64],
}

impl Job for Blocks<'_> {
    type Output = ();

    #[inline(always)]
    fn run<H: BlockHash>(self, hash: H) {
        let groups = self.seeds.map(|[low, high]| {
            low.as_chunks_mut::<LANES>().0.iter_mut().zip(high.as_chunks_mut::<LANES>().0)
        });
        let [one, other] = groups;
        let words = self.last.as_chunks_mut::<2>().0.chunks_mut(LANES);
        let points = self.point.chunks(LANES);
        for (((one, other), words), points) in one.zip(other).zip(words).zip(points) {
            hash.hash(one.0, one.1);
            hash.hash(other.0, other.1);
            for (i, ([low, high], point)) in words.iter_mut().zip(points).enumerate() {
                let point = point & self.places;
                let bit = 1 << (point & 63);
                let upper = (point >> 6 & 1).wrapping_neg();
                *low = one.0[i] ^ other.0[i] ^ bit & !upper;
                *high = one.1[i] ^ other.1[i] ^ bit & upper;
            }
        }
    }
}
