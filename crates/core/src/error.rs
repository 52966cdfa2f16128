//! What a kernel refuses, with the values that made it refuse. Never a secret.

use core::fmt;

/// A refusal of a kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A buffer has another length than its shape says: name, expected, found.
    Length(&'static str, usize, usize),
    /// A word width outside 1..=64.
    Bits(u32),
    /// Bits after the last packed word are not zero.
    TrailingBits,
    /// A keystream range passes the end of its stream, 2^64 bytes.
    StreamEnd,
    /// A size is zero or too large: name, largest, found.
    Count(&'static str, usize, usize),
    /// A table that is joined has an id twice.
    Repeated,
    /// A field that the dealer must have sent is drawn.
    Drawn,
    /// A value is not finite, or too large for its fraction bits.
    Range,
    /// A point, by its index, is not the canonical encoding of an element other than the identity.
    Point(usize),
    /// A secret scalar is zero.
    ZeroScalar,
    /// More bytes, or none, were asked of `expand_message_xmd` than it may give: at most 255 · 64.
    Expand(usize),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(name, expected, found) => {
                write!(f, "{name}: expected length {expected}, found {found}")
            }
            Self::Bits(bits) => write!(f, "bits must be in 1..=64, found {bits}"),
            Self::Count(name, most, found) => {
                write!(f, "{name}: expected 1..={most}, found {found}")
            }
            Self::Repeated => write!(f, "a table has an id twice"),
            Self::TrailingBits => {
                write!(f, "trailing bits after the last packed word are not zero")
            }
            Self::StreamEnd => {
                write!(f, "offset + length passes the end of the stream (2^64 bytes)")
            }
            Self::Drawn => write!(f, "a field is drawn where the dealer's bits are due"),
            Self::Range => write!(f, "a value is not finite or too large"),
            Self::Point(index) => write!(
                f,
                "point {index} is not a canonical ristretto255 encoding of a non-identity element"
            ),
            Self::ZeroScalar => write!(f, "the secret scalar is zero"),
            Self::Expand(length) => {
                write!(f, "expand_message_xmd gives 1..=16320 bytes, asked for {length}")
            }
        }
    }
}

impl core::error::Error for Error {}
