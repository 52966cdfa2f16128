//! Choices by arithmetic. A mask is all ones or zero; nothing branches on it.

use core::hint::black_box;

/// All ones if it holds, else zero. The compiler does not see which.
pub(super) fn mask(holds: bool) -> u64 {
    black_box(u64::from(holds)).wrapping_neg()
}

/// `yes` where the mask is ones, else `no`.
pub(super) fn choose(mask: u64, yes: u64, no: u64) -> u64 {
    no ^ (mask & (yes ^ no))
}

/// The value, but no further from zero than `most`.
pub(super) fn within(value: i64, most: i64) -> i64 {
    let high = choose(mask(value > most), most.cast_unsigned(), value.cast_unsigned());
    let low = mask(high.cast_signed() < -most);
    choose(low, (-most).cast_unsigned(), high).cast_signed()
}

/// Exchanges two runs of words where the mask is ones.
pub(super) fn swap(mask: u64, first: &mut [u64], second: &mut [u64]) {
    for (a, b) in first.iter_mut().zip(second) {
        let change = mask & (*a ^ *b);
        *a ^= change;
        *b ^= change;
    }
}
