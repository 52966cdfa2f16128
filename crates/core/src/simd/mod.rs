//! The inner loops that need an instruction set of their own. All `unsafe` lives in this folder.

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
    packing::{pack, prefetch, unpack},
    rows::{plane_kernels, widest},
};

#[cfg(not(target_arch = "x86_64"))]
mod absent;
#[cfg(not(target_arch = "x86_64"))]
pub(crate) use self::absent::{
    FixedKey, WideAes, kernels, pack, plane_kernels, prefetch, unpack, widest,
};
