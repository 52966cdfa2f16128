//! Keys of distributed point functions: the dealer grows both parties' paths to a secret point.

#![expect(clippy::inline_always, reason = "each instruction set compiles its own copy")]

use crate::bits::{pack_groups, packed_len, read_bits, write_bits};
use crate::dealt::{Dealt, Scratch, Share};
use crate::dpf::{FIXED_KEY, Keys, WORTH_A_THREAD, begin};
use crate::hash::{BlockHash, Job, LANES};
use crate::products::same;
use crate::simd::{self, FixedKey};
use crate::{Error, Features, parallel};

/// Keys that are grown together.
const CHUNK: usize = 2048;
/// Words of a row of them.
const ROW: usize = CHUNK / 64;

/// Where the fields of correction words end: of seeds' low and high words, of bits, of blocks.
fn ends(keys: Keys) -> Result<[usize; 4], Error> {
    keys.check()?;
    let inner = keys.depth().checked_mul(keys.count).ok_or(Error::StreamEnd)?;
    let mut end = 0;
    let mut next = |count, bits| -> Result<usize, Error> {
        end += packed_len(count, bits)?;
        Ok(end)
    };
    Ok([next(inner, 63)?, next(inner, 64)?, next(2 * inner, 1)?, next(2 * keys.count, 64)?])
}

/// The bytes of the correction words of keys.
///
/// # Errors
/// [`Error::Bits`] for a domain of no bits or more than 64; [`Error::StreamEnd`] for too many keys.
pub fn keys_len(keys: Keys) -> Result<usize, Error> {
    Ok(ends(keys)?[3])
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
    same("correction words", keys_len(keys)?, out.len())?;
    if keys.domain > ring {
        return Err(Error::Bits(ring));
    }
    let count = keys.count;
    let grown = Grown {
        points: [first.share(0, count, ring)?, second.share(0, count, ring)?],
        roots: [first.share(1, 2 * count, 64)?, second.share(2, 2 * count, 64)?],
        keys,
    };
    let padded = Keys { count: count.next_multiple_of(8), ..keys };
    if padded.count == count {
        grown.all(padded, out, features)?;
        return Ok(());
    }
    let mut wide = vec![0; keys_len(padded)?];
    grown.all(padded, &mut wide, features)?;
    narrow(&wide, padded, out, keys)
}

/// Copies rows of a padded count to rows without padding.
fn narrow(wide: &[u8], padded: Keys, out: &mut [u8], keys: Keys) -> Result<(), Error> {
    out.fill(0);
    let (from, to) = (ends(padded)?, ends(keys)?);
    let rows = [(keys.depth(), 63), (keys.depth(), 64), (2 * keys.depth(), 1), (1, 128)];
    let mut line = vec![0; 2 * padded.count];
    let (mut begin, mut at) = (0, 0);
    for (field, (count, bits)) in rows.into_iter().enumerate() {
        let (source, target) = (&wide[begin..from[field]], &mut out[at..to[field]]);
        for row in 0..count {
            read_bits(source, row * padded.count * bits, keys.count * bits, &mut line);
            write_bits(target, row * keys.count * bits, keys.count * bits, &line);
        }
        (begin, at) = (from[field], to[field]);
    }
    Ok(())
}

/// What all chunks share.
#[derive(Clone, Copy)]
struct Grown<'a> {
    points: [Share<'a>; 2],
    roots: [Share<'a>; 2],
    keys: Keys,
}

/// One thread's columns of each level, and of the blocks.
struct Columns<'a> {
    low: Vec<&'a mut [u8]>,
    high: Vec<&'a mut [u8]>,
    flips: Vec<&'a mut [u8]>,
    last: &'a mut [u8],
}

impl Grown<'_> {
    /// Each thread takes a run of keys; `padded` is the keys with a count of whole bytes of bits.
    fn all(self, padded: Keys, out: &mut [u8], features: Features) -> Result<(), Error> {
        let count = padded.count;
        let [low, high, flips, _] = ends(padded)?;
        let fixed = FixedKey::new(&FIXED_KEY, features);
        let per = parallel::share(count, CHUNK, features.threads(count, WORTH_A_THREAD));
        let (rest, last) = out.split_at_mut(flips);
        let (rest, flips) = rest.split_at_mut(high);
        let (low, high) = rest.split_at_mut(low);
        // Without levels there are no columns but those of the blocks.
        let mut low = parallel::columns(low, count / 8 * 63, per / 8 * 63);
        let mut high = parallel::columns(high, count * 8, per * 8);
        let mut flips = parallel::columns(flips, count / 8, per / 8);
        let parts = last.chunks_mut(16 * per).map(|last| Columns {
            low: low.next().unwrap_or_default(),
            high: high.next().unwrap_or_default(),
            flips: flips.next().unwrap_or_default(),
            last,
        });
        parallel::each(parts.enumerate(), |(part, mut columns)| {
            let mut paths = Paths::default();
            let length = columns.last.len() / 16;
            for from in (0..length).step_by(CHUNK) {
                let size = CHUNK.min(length - from);
                paths.begin(self, part * per + from, size, features);
                self.chunk(&mut paths, (from, size), &mut columns, (&fixed, features));
            }
        });
        Ok(())
    }

    fn chunk(
        self,
        paths: &mut Paths,
        (from, size): (usize, usize),
        columns: &mut Columns<'_>,
        (fixed, features): (&FixedKey, Features),
    ) {
        let depth = self.keys.depth();
        for level in 0..depth {
            fixed.run(paths.level(self.keys.domain as usize - 1 - level, size));
            let bytes = from / 8 * 63..(from + size) / 8 * 63;
            pack_groups(&paths.low[..size], 63, &mut columns.low[level][bytes], features);
            let bytes = from * 8..(from + size) * 8;
            pack_groups(&paths.high[..size], 64, &mut columns.high[level][bytes], features);
            for (row, flips) in [(level, &paths.left), (depth + level, &paths.right)] {
                let flips = flips.iter().flat_map(|word| word.to_le_bytes());
                let row = &mut columns.flips[row][from / 8..(from + size) / 8];
                row.iter_mut().zip(flips).for_each(|(byte, flip)| *byte = flip);
            }
        }
        fixed.run(paths.blocks(self.keys.places(), size));
        pack_groups(
            &paths.last[..2 * size],
            64,
            &mut columns.last[16 * from..16 * (from + size)],
            features,
        );
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

impl Default for Paths {
    fn default() -> Self {
        let words = || vec![0; CHUNK];
        let row = || vec![0; ROW];
        Self {
            point: words(),
            sides: vec![0; 64 * ROW],
            seeds: [[words(), words()], [words(), words()]],
            bits: [row(), row()],
            low: words(),
            high: words(),
            left: row(),
            right: row(),
            last: vec![0; 2 * CHUNK],
            scratch: Scratch::default(),
        }
    }
}

impl Paths {
    /// Takes up `size` points and roots from number `at` on; there may be fewer.
    fn begin(&mut self, grown: Grown<'_>, at: usize, size: usize, features: Features) {
        let Grown { points: [one, other], roots, keys } = grown;
        let size = size.min(keys.count - at);
        one.words(at, &mut self.point[..size], &mut self.scratch);
        other.words(at, &mut self.low[..size], &mut self.scratch);
        for (point, share) in self.point.iter_mut().zip(&self.low[..size]) {
            *point = point.wrapping_add(*share);
        }
        (simd::plane_kernels(features).transpose)(&self.point, &mut self.sides, ROW);
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
        Level {
            side: &self.sides[place * ROW..(place + 1) * ROW],
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
