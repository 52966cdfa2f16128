//! Secrets as types: wiped on drop, compared in constant time, never printed.

use core::fmt;

use curve25519_dalek::Scalar;
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::Error;

/// A 128-bit key of a keystream.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct StreamKey([u8; 16]);

impl StreamKey {
    /// The key with these bytes, which the caller wipes.
    #[must_use]
    pub fn new(bytes: &[u8; 16]) -> Self {
        Self(*bytes)
    }

    pub(crate) fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// A secret exponent of ristretto255, never zero.
///
/// Kept as its half: multiplying by k/2 and doubling while encoding shares one inversion
/// among a whole batch.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretScalar {
    half: Scalar,
}

impl SecretScalar {
    /// The scalar that 64 uniform bytes reduce to, with bias below 2^-250.
    ///
    /// # Errors
    /// [`Error::ZeroScalar`] if they reduce to zero.
    pub fn from_uniform(bytes: &[u8; 64]) -> Result<Self, Error> {
        let scalar = Zeroizing::new(Scalar::from_bytes_mod_order_wide(bytes));
        if *scalar == Scalar::ZERO {
            return Err(Error::ZeroScalar);
        }
        Ok(Self { half: scalar.div_by_2() })
    }

    pub(crate) fn half(&self) -> &Scalar {
        &self.half
    }
}

impl ConstantTimeEq for StreamKey {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl ConstantTimeEq for SecretScalar {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.half.ct_eq(&other.half)
    }
}

impl PartialEq for StreamKey {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl PartialEq for SecretScalar {
    fn eq(&self, other: &Self) -> bool {
        self.ct_eq(other).into()
    }
}

impl Eq for StreamKey {}
impl Eq for SecretScalar {}

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamKey(hidden)")
    }
}

impl fmt::Debug for SecretScalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretScalar(hidden)")
    }
}
