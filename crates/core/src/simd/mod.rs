//! The inner loops that need an instruction set of their own. All `unsafe` lives in this folder.

#![expect(clippy::inline_always, reason = "each instruction set compiles its own copy")]

#[cfg(target_arch = "x86_64")]
mod blocks;
#[cfg(target_arch = "x86_64")]
mod keystream;
#[cfg(target_arch = "x86_64")]
mod matrix;
#[cfg(target_arch = "x86_64")]
mod packing;
#[cfg(target_arch = "x86_64")]
mod rows;
#[cfg(target_arch = "x86_64")]
pub(crate) use self::{
    blocks::FixedKey,
    keystream::WideAes,
    matrix::kernels,
    packing::{gather, pack, prefetch, spread, unpack},
    rows::{plane_kernels, widest},
};

#[cfg(not(target_arch = "x86_64"))]
mod absent;
#[cfg(not(target_arch = "x86_64"))]
pub(crate) use self::absent::{
    FixedKey, WideAes, gather, kernels, pack, plane_kernels, prefetch, spread, unpack, widest,
};

#[cfg(not(target_endian = "little"))]
compile_error!("packed words are little-endian, and so must the processor be");

/// Something to compute with the widest vectors.
///
/// A closure is one; whether it is compiled for them is then the compiler's choice, which takes
/// short ones. Of a type of its own, `run` is always inlined.
pub(crate) trait Work {
    /// What it gives.
    type Output;

    /// Computes it.
    fn run(self) -> Self::Output;
}

impl<R, F: FnOnce() -> R> Work for F {
    type Output = R;

    #[inline(always)]
    fn run(self) -> R {
        self()
    }
}

/// Words as their bytes in memory.
#[expect(unsafe_code, reason = "words are bytes")]
pub(crate) fn bytes_of(words: &[u64]) -> &[u8] {
    // SAFETY: the same memory, borrowed alike; bytes need no alignment.
    unsafe { core::slice::from_raw_parts(words.as_ptr().cast(), size_of_val(words)) }
}

/// The same, to write to.
#[expect(unsafe_code, reason = "any bytes are words")]
pub(crate) fn bytes_of_mut(words: &mut [u64]) -> &mut [u8] {
    let length = size_of_val(words);
    // SAFETY: the same memory, borrowed alike; bytes need no alignment, and any of them are words.
    unsafe { core::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), length) }
}

/// The bound of [`whole`], 2^62.
pub(crate) const LARGEST: f64 = 4_611_686_018_427_387_904.0;

/// The word of a whole number whose size is below the bound; 0 for any other.
#[inline(always)]
#[expect(unsafe_code, reason = "a checked conversion is not vectorised")]
pub(crate) fn whole(x: f64) -> u64 {
    let x = if x.abs() < LARGEST { x } else { 0.0 };
    // SAFETY: below 2^63, and not NaN.
    unsafe { x.to_int_unchecked::<i64>() }.cast_unsigned()
}
