//! Sines of multiples of an angle: dealt of a mask, and summed at what was opened.
//!
//! The factors at what was opened must be the same integers at both parties. They come from
//! additions and products of IEEE 754 doubles alone, in the order in which they stand here: no
//! function of a library, and no contraction, on any path.

#![expect(clippy::inline_always, reason = "each instruction set compiles its own copy")]
#![expect(clippy::cast_precision_loss, reason = "angles are rounded to 53 bits")]
#![expect(clippy::cast_possible_truncation, reason = "there are few coefficients")]

use core::f64::consts::{FRAC_1_SQRT_2, FRAC_PI_2, FRAC_PI_4};

use crate::columns::{self, Field, columns_len};
use crate::dealt::{Dealt, Scratch, Share};
use crate::fixed::MAGIC;
use crate::products::{Both, Buffers, both, same};
use crate::simd::{self, Work};
use crate::{Error, Features, parallel};

/// Elements that are treated together: what is kept of each stays in the first cache.
const CHUNK: usize = 512;
/// Elements that are worth a thread.
const WORTH_A_THREAD: usize = 1 << 14;
/// What a rounded double may reach.
const LARGEST: f64 = 1_125_899_906_842_624.0;

/// Sines and cosines of 1, 2, … `terms` times 2πx / 2^period, as words.
#[derive(Clone, Copy)]
pub struct Waves {
    /// Bits of an angle.
    pub period: u32,
    /// Multiples.
    pub terms: usize,
    /// Fraction bits of a wave.
    pub fraction: u32,
    /// Bits of a share.
    pub ring: u32,
}

impl Waves {
    fn check(self) -> Result<(), Error> {
        match self {
            Self { period: 2..=64, fraction: 0..=50, ring: 1..=64, .. } => Ok(()),
            Self { period, .. } => Err(Error::Bits(period)),
        }
    }

    /// Cosines, then sines.
    fn field(self) -> Result<Field, Error> {
        self.check()?;
        let rows = self.terms.checked_mul(2).ok_or(Error::StreamEnd)?;
        Ok(Field { rows, bits: self.ring as usize })
    }
}

/// The bytes of the waves of `count` masks.
///
/// # Errors
/// [`Error::Bits`] for a width out of range; [`Error::StreamEnd`] for too many.
pub fn waves_len(count: usize, waves: Waves) -> Result<usize, Error> {
    columns_len(&[waves.field()?], count)
}

/// Writes the corrections of the waves of r to `out`: cosines of each multiple, then sines.
///
/// r is field 0 of both parts, of `bits` bits; the first party's share of the waves is its `field`.
///
/// # Errors
/// As [`waves_len`]; [`Error::Length`] if a size does not fit.
pub fn deal_waves<B: AsRef<[u8]> + Sync>(
    (first, second): (&Dealt<B>, &Dealt<B>),
    (field, bits): (usize, u32),
    (count, waves): (usize, Waves),
    out: &mut [u8],
    features: Features,
) -> Result<(), Error> {
    let masks = [first.share(0, count, bits)?, second.share(0, count, bits)?];
    let fields = [waves.field()?];
    let share = first.share(field, fields[0].rows * count, waves.ring)?;
    let scale = 2f64.powi(waves.fraction.cast_signed());
    columns::write(&fields, (count, WORTH_A_THREAD), out, features, |mut part| {
        let (mut chunk, mut scratch) = (Chunk::new(part.count), Scratch::default());
        let mut rows = [0; 2].map(|_| vec![0; chunk.angle.len()]);
        for at in (0..part.count).step_by(CHUNK) {
            let size = CHUNK.min(part.count - at);
            let known = size.min(count - part.begin - at);
            chunk.combine(masks, part.begin + at, known, &mut scratch);
            simd::widest(features, Begin(&mut chunk, waves.period));
            for term in 0..waves.terms {
                for (half, row) in rows.iter_mut().enumerate() {
                    let first = (half * waves.terms + term) * count + part.begin + at;
                    share.words(first, &mut row[..known], &mut scratch);
                }
                let [cosines, sines] = &mut rows;
                simd::widest(features, || chunk.correct(scale, cosines, sines));
                part.put((0, term), at, &cosines[..size]);
                part.put((0, waves.terms + term), at, &sines[..size]);
            }
        }
    })
}

/// Opened words, this party's shares of the waves of their masks, and a sum of sines.
#[derive(Clone, Copy)]
pub struct Sum<'a> {
    /// The messages whose sum is c.
    pub messages: (&'a [u8], &'a [u8]),
    /// Bits of c.
    pub bits: u32,
    /// The number of the field of waves.
    pub field: usize,
    /// What was dealt.
    pub waves: Waves,
    /// Each sine's amplitude, in units of the factors.
    pub amplitudes: &'a [f64],
    /// What is added to each sum.
    pub offset: u64,
}

/// Writes shares of the sum of amplitudes times sin(2πj·(c - r) / 2^period), plus the offset, to `out`.
///
/// # Errors
/// As [`Share::message`]; [`Error::Range`] for an amplitude that is not finite or too large.
pub fn sum_waves<B: AsRef<[u8]> + Sync>(
    sum: Sum<'_>,
    dealt: &Dealt<B>,
    out: &mut [u64],
    features: Features,
) -> Result<(), Error> {
    let Sum { messages: (own, peer), bits, field, waves, amplitudes, offset } = sum;
    let count = out.len();
    same("amplitudes", waves.terms, amplitudes.len())?;
    if amplitudes.iter().any(|size| size.is_nan() || size.abs() >= LARGEST) {
        return Err(Error::Range);
    }
    let share = dealt.share(field, waves.field()?.rows * count, waves.ring)?;
    let opened = both(own, peer, (count, bits), features)?;
    let span = parallel::share(count, CHUNK, features.threads(count, WORTH_A_THREAD));
    parallel::each(out.chunks_mut(span).enumerate(), |(part, out)| {
        let (mut chunk, mut buffers) = (Chunk::new(out.len()), Buffers::default());
        let mut rows = [0; 2].map(|_| vec![0; chunk.angle.len()]);
        for (index, out) in out.chunks_mut(CHUNK).enumerate() {
            let at = part * span + index * CHUNK;
            chunk.open(opened, at, out.len(), &mut buffers);
            simd::widest(features, Begin(&mut chunk, waves.period));
            out.fill(offset);
            for (term, &size) in amplitudes.iter().enumerate() {
                for (half, row) in rows.iter_mut().enumerate() {
                    let first = (half * waves.terms + term) * count + at;
                    share.words(first, &mut row[..out.len()], &mut buffers.scratch);
                }
                let [cosines, sines] = &rows;
                simd::widest(features, || chunk.add(size, (cosines, sines), out));
            }
        }
    });
    Ok(())
}

/// Angles, their sines and cosines, and those of the multiple at hand.
struct Chunk {
    angle: Vec<u64>,
    sine: Vec<f64>,
    cosine: Vec<f64>,
    now: (Vec<f64>, Vec<f64>),
}

impl Chunk {
    /// Room for at most `count` elements.
    fn new(count: usize) -> Self {
        let length = count.min(CHUNK);
        let [sine, cosine, s, c] = [0; 4].map(|_| vec![0.0; length]);
        Self { angle: vec![0; length], sine, cosine, now: (s, c) }
    }

    fn combine(&mut self, masks: [Share<'_>; 2], at: usize, count: usize, scratch: &mut Scratch) {
        let mut other = [0; CHUNK];
        let other = &mut other[..count];
        masks[0].words(at, &mut self.angle[..count], scratch);
        masks[1].words(at, other, scratch);
        for (angle, other) in self.angle.iter_mut().zip(other) {
            *angle = angle.wrapping_add(*other);
        }
    }

    fn open(&mut self, opened: Both<'_>, at: usize, count: usize, buffers: &mut Buffers) {
        opened.words(at, &mut self.angle[..count], buffers);
    }

    /// Turns shares of the waves at hand into what corrects them, and goes on to the next.
    #[inline(always)]
    fn correct(&mut self, scale: f64, cosines: &mut [u64], sines: &mut [u64]) {
        let shares = cosines.iter_mut().zip(sines);
        let firsts = self.sine.iter().zip(&self.cosine);
        let now = self.now.0.iter_mut().zip(&mut self.now.1);
        for (((cosine, sine), first), (s, c)) in shares.zip(firsts).zip(now) {
            *cosine = integer(*c * scale).wrapping_sub(*cosine);
            *sine = integer(*s * scale).wrapping_sub(*sine);
            (*s, *c) = turned((*s, *c), first);
        }
    }

    /// Adds the sines at hand, from shares of the mask's, and goes on to the next.
    #[inline(always)]
    fn add(&mut self, size: f64, (cosines, sines): (&[u64], &[u64]), out: &mut [u64]) {
        let shares = cosines.iter().zip(sines);
        let firsts = self.sine.iter().zip(&self.cosine);
        let now = self.now.0.iter_mut().zip(&mut self.now.1);
        for (((sum, (cosine, sine)), first), (s, c)) in
            out.iter_mut().zip(shares).zip(firsts).zip(now)
        {
            let there = integer(*s * size).wrapping_mul(*cosine);
            let back = integer(*c * size).wrapping_mul(*sine);
            *sum = sum.wrapping_add(there).wrapping_sub(back);
            (*s, *c) = turned((*s, *c), first);
        }
    }
}

/// Finds sine and cosine of each angle, of so many bits.
struct Begin<'a>(&'a mut Chunk, u32);

impl Work for Begin<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self(Chunk { angle, sine, cosine, now }, period) = self;
        for (angle, (sine, cosine)) in angle.iter().zip(sine.iter_mut().zip(&mut *cosine)) {
            (*sine, *cosine) = sine_cosine(*angle, period);
        }
        now.0.copy_from_slice(sine);
        now.1.copy_from_slice(cosine);
    }
}

/// The nearest integer, ties to even, for |x| < 2^51.
#[inline(always)]
fn integer(x: f64) -> u64 {
    (x + MAGIC).to_bits().wrapping_sub(MAGIC.to_bits())
}

/// Sine and cosine of the sum of two angles.
#[inline(always)]
fn turned((s, c): (f64, f64), (sine, cosine): (&f64, &f64)) -> (f64, f64) {
    (s * cosine + c * sine, c * cosine - s * sine)
}

/// Sine and cosine of 2πx / 2^period: Taylor about the middle of the quadrant.
#[inline(always)]
fn sine_cosine(x: u64, period: u32) -> (f64, f64) {
    let quadrant = x >> (period - 2);
    let rest = x & ((1 << (period - 2)) - 1);
    let unit = f64::from_bits(u64::from(1023 + 2 - period) << 52);
    let angle = rest as f64 * unit * FRAC_PI_2 - FRAC_PI_4;
    let square = angle * angle;
    let (odd, even) = (angle * series(square, &ODD), series(square, &EVEN));
    let (sine, cosine) = ((even + odd) * FRAC_1_SQRT_2, (even - odd) * FRAC_1_SQRT_2);
    let (sine, cosine) = (sine.to_bits(), cosine.to_bits());
    let odd_turn = (quadrant & 1).wrapping_neg();
    let swapped = (sine ^ cosine) & odd_turn;
    let back = (quadrant & 2) << 62;
    let negated = (quadrant & 1) << 63;
    (f64::from_bits(sine ^ swapped ^ back), f64::from_bits(cosine ^ swapped ^ negated ^ back))
}

/// The coefficients of sin(x) / x in powers of x², the highest first: to 5e-17 for |x| ≤ π/4.
const ODD: [f64; 8] = coefficients(15);
/// Those of cos(x): to 2e-18.
const EVEN: [f64; 9] = coefficients(16);

/// ±1 / k! for k = last, last - 2, …
const fn coefficients<const N: usize>(last: u32) -> [f64; N] {
    let mut all = [0.0; N];
    let mut index = 0;
    while index < N {
        let k = last - 2 * index as u32;
        let (mut factorial, mut factor) = (1u64, 2);
        while factor <= k {
            factorial *= factor as u64;
            factor += 1;
        }
        let sign = if (k / 2).is_multiple_of(2) { 1.0 } else { -1.0 };
        all[index] = sign / factorial as f64;
        index += 1;
    }
    all
}

#[inline(always)]
fn series<const N: usize>(square: f64, coefficients: &[f64; N]) -> f64 {
    let mut total = coefficients[0];
    for coefficient in &coefficients[1..] {
        total = total * square + coefficient;
    }
    total
}
