//! Kernels of moiety: ring words, packed bits, keystreams, group operations.
//!
//! Pure functions on slices. No IO, no clock, no environment, no randomness of its own, no Python.

pub mod bits;
pub mod curve;
pub mod error;
pub mod features;
pub mod hash;
pub mod keys;
pub mod prg;
pub mod ring;
mod simd;

pub use error::Error;
pub use features::Features;
