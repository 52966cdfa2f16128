//! The logistic loss in fixed point, without tables: exp is a power of two and a series.

use super::mask::within;
use super::sums::Slopes;

/// One, as a derivative has it.
pub(super) const ONE: i64 = 1 << 20;
/// One, as a log-odds has it.
pub(super) const UNIT: f64 = 16_777_216.0;
/// Beyond these log-odds, in units, a probability is no longer told from 0 or 1.
const MOST: i64 = 30 << 24;
/// 1.5 · 2^52: added to a number below 2^51, it leaves a whole one in the low bits.
const SHIFT: f64 = 6_755_399_441_055_744.0;
/// Steps after which Newton's method has found the log-odds of any share of 10^8 rows.
const STEPS: usize = 40;

/// The nearest whole number, of two the even one; of a number below 2^51.
pub(super) fn round(x: f64) -> i64 {
    (x + SHIFT).to_bits().wrapping_sub(SHIFT.to_bits()).cast_signed()
}

/// 1/n! for each n: eleven terms leave 2^-47 of e^x for |x| ≤ ln 2 / 2.
const INVERSE: [f64; 12] = {
    let (mut terms, mut product, mut n) = ([1.0; 12], 1.0, 1.0);
    let mut at = 1;
    while at < 12 {
        product *= n;
        terms[at] = 1.0 / product;
        n += 1.0;
        at += 1;
    }
    terms
};

/// e^x for |x| ≤ 40.
fn exp(x: f64) -> f64 {
    let twos = x * core::f64::consts::LOG2_E;
    let whole = round(twos);
    let rest = (twos - real(whole)) * core::f64::consts::LN_2;
    let series = INVERSE.iter().rev().fold(0.0, |sum, term| sum * rest + term);
    f64::from_bits((1023 + whole).cast_unsigned() << 52) * series
}

/// The probability at these log-odds, of size 40 at most.
fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x))
}

/// A number of a size below 2^53.
#[expect(clippy::cast_precision_loss, reason = "below 2^53")]
pub(super) fn real(x: i64) -> f64 {
    x as f64
}

/// Writes the derivatives of the loss of each row at its log-odds: p - y and p (1 - p).
#[expect(clippy::cast_possible_truncation, reason = "at most 2^20 in size")]
pub(super) fn derive(margins: &[i64], labels: &[u8], slopes: &mut Slopes) {
    let slopes = slopes.gradient.iter_mut().zip(&mut slopes.hessian);
    for ((gradient, hessian), (&margin, &label)) in slopes.zip(margins.iter().zip(labels)) {
        let p = round(sigmoid(real(within(margin, MOST)) / UNIT) * real(ONE));
        *gradient = (p - ONE * i64::from(label)) as i32;
        *hessian = (p * (ONE - p) / ONE) as i32;
    }
}

/// The log-odds of so many events among so many rows, in units: Newton's method from 0.
pub(super) fn base(events: i64, rows: i64) -> i64 {
    let (share, mut odds) = (real(events) / real(rows), 0.0);
    for _ in 0..STEPS {
        let p = sigmoid(odds);
        odds -= (p - share) / (p * (1.0 - p));
    }
    round(odds * UNIT)
}
