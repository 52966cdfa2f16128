//! Computation whose memory addresses and branches depend on sizes alone, never on what is read.
//!
//! Choices are arithmetic on masks. Whatever is looked for is compared with everything that it
//! could be: a row with every bin, node and column. No kernel of this folder uses more than AVX2,
//! so that what a recorder of memory accesses can run is what runs everywhere.
//!
//! Not covered: how long a division of floating-point numbers takes.

pub mod grow;
pub mod join;
mod logistic;
mod mask;
mod network;
mod route;
pub mod score;
mod split;
mod sums;
mod table;

pub use table::Table;
