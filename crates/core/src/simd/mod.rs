//! The inner loops that need an instruction set of their own. All `unsafe` lives in this folder.

#[cfg(target_arch = "x86_64")]
mod keystream;
#[cfg(target_arch = "x86_64")]
mod matrix;
#[cfg(target_arch = "x86_64")]
mod rows;
#[cfg(target_arch = "x86_64")]
pub(crate) use self::{
    keystream::WideAes,
    matrix::kernels,
    rows::{plane_kernels, widest},
};

#[cfg(not(target_arch = "x86_64"))]
mod absent;
#[cfg(not(target_arch = "x86_64"))]
pub(crate) use self::absent::{WideAes, kernels, plane_kernels, widest};
