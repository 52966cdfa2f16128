//! Kernels of moiety: ring words, packed bits, keystreams, group operations.
//!
//! Pure functions on slices. No IO, no clock, no environment, no randomness of its own, no Python.

pub mod bits;
mod columns;
pub mod compare;
pub mod curve;
pub mod dealt;
pub mod dpf;
pub mod equal;
pub mod error;
pub mod features;
pub mod fixed;
pub mod floor;
pub mod flow;
pub mod gates;
pub mod hash;
pub mod keys;
pub mod lookup;
pub mod owned;
mod parallel;
mod planes;
pub mod point_keys;
pub mod prg;
pub mod products;
pub mod reals;
pub mod ring;
pub mod scaled;
pub mod scaled_deal;
pub mod shuffle;
mod simd;
pub mod tally;
pub mod tree;
pub mod truncation;
mod walk;
pub mod waves;

pub use error::Error;
pub use features::Features;
