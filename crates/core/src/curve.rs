//! ristretto255: hash to group, blind, evaluate, in batches.
//!
//! Source: RFC 9496 (group), RFC 9380 §5.3.1 (`expand_message_xmd`), RFC 9497 §4.1 (hash to group).

use curve25519_dalek::RistrettoPoint;
use curve25519_dalek::ristretto::CompressedRistretto;
use curve25519_dalek::traits::IsIdentity;
use sha2::{Digest, Sha512};

use crate::Error;
use crate::keys::SecretScalar;

/// The encoding of a group element.
pub type Point = [u8; 32];

const HASH: usize = 64;
const HASH_BLOCK: usize = 128;
/// Points encoded together: one field inversion for all of them.
const BATCH: usize = 256;

/// A domain separation tag with its length appended, as `expand_message_xmd` wants it.
pub struct Tag(Vec<u8>);

impl Tag {
    /// The tag of any length: above 255 bytes it is hashed first (RFC 9380 §5.3.3).
    #[must_use]
    pub fn new(tag: &[u8]) -> Self {
        let mut prime = if tag.len() > 255 {
            Sha512::new().chain_update(b"H2C-OVERSIZE-DST-").chain_update(tag).finalize().to_vec()
        } else {
            tag.to_vec()
        };
        prime.push(u8::try_from(prime.len()).expect("at most 255 by the branch above"));
        Self(prime)
    }

    /// `"HashToGroup-" || context`, the tag of RFC 9497 §4.1.
    #[must_use]
    pub fn hash_to_group(context: &[u8]) -> Self {
        Self::new(&[b"HashToGroup-", context].concat())
    }

    /// The tag of a private set intersection in `domain`.
    ///
    /// The context is `"moiety-psi-v1-ristretto255-SHA512-" || domain`, so it never equals one of
    /// RFC 9497, whose contexts start with `"OPRFV1-"`.
    #[must_use]
    pub fn psi(domain: &[u8]) -> Self {
        Self::hash_to_group(&[b"moiety-psi-v1-ristretto255-SHA512-".as_slice(), domain].concat())
    }
}

/// Writes `out.len()` bytes of `expand_message_xmd` with SHA-512 (RFC 9380 §5.3.1).
///
/// # Errors
/// [`Error::Expand`] unless 1 ≤ length ≤ 255 · 64.
pub fn expand_message_xmd(message: &[u8], tag: &Tag, out: &mut [u8]) -> Result<(), Error> {
    let length = u16::try_from(out.len()).map_err(|_| Error::Expand(out.len()))?;
    if out.is_empty() || out.len() > 255 * HASH {
        return Err(Error::Expand(out.len()));
    }
    let start = Sha512::new()
        .chain_update([0; HASH_BLOCK])
        .chain_update(message)
        .chain_update(length.to_be_bytes())
        .chain_update([0])
        .chain_update(&tag.0)
        .finalize();
    let mut block = [0; HASH];
    for (index, chunk) in (1u8..=255).zip(out.chunks_mut(HASH)) {
        for (byte, other) in block.iter_mut().zip(&start) {
            *byte ^= other;
        }
        let digest = Sha512::new().chain_update(block).chain_update([index]).chain_update(&tag.0);
        block.copy_from_slice(&digest.finalize());
        chunk.copy_from_slice(&block[..chunk.len()]);
    }
    Ok(())
}

/// The group element that `message` hashes to; no one knows its discrete logarithm.
#[must_use]
pub fn hash_to_group(message: &[u8], tag: &Tag) -> RistrettoPoint {
    let mut uniform = [0; 64];
    expand_message_xmd(message, tag, &mut uniform).expect("64 is within 1..=16320");
    RistrettoPoint::from_uniform_bytes(&uniform)
}

/// k · H(item) for each item, in the order given. Constant-time in k and in the items' bytes.
#[must_use]
pub fn blind<T: AsRef<[u8]> + Sync>(
    key: &SecretScalar,
    items: &[T],
    tag: &Tag,
    threads: usize,
) -> Vec<Point> {
    let multiply = |item: &T| Ok(hash_to_group(item.as_ref(), tag) * key.half());
    batches(items, threads, &|_, item| multiply(item)).expect("hashing refuses nothing")
}

/// k · P for each encoded point P, in the order given. Constant-time in k.
///
/// # Errors
/// [`Error::Point`] at a non-canonical encoding or the identity.
pub fn evaluate(key: &SecretScalar, points: &[Point], threads: usize) -> Result<Vec<Point>, Error> {
    batches(points, threads, &|index, bytes| Ok(decode(bytes, index)? * key.half()))
}

/// The element that `bytes` encode canonically, never the identity.
fn decode(bytes: &Point, index: usize) -> Result<RistrettoPoint, Error> {
    CompressedRistretto(*bytes)
        .decompress()
        .filter(|point| !point.is_identity())
        .ok_or(Error::Point(index))
}

/// Maps each item to half its result and encodes the doubles, on up to `threads` threads.
fn batches<T: Sync>(
    items: &[T],
    threads: usize,
    half: &(dyn Fn(usize, &T) -> Result<RistrettoPoint, Error> + Sync),
) -> Result<Vec<Point>, Error> {
    let mut out = vec![[0; 32]; items.len()];
    let share = items.len().div_ceil(threads.max(1)).max(1);
    std::thread::scope(|scope| {
        let parts = items.chunks(share).zip(out.chunks_mut(share)).enumerate();
        let workers: Vec<_> = parts
            .map(|(part, (items, out))| scope.spawn(move || fill(items, out, part * share, half)))
            .collect();
        workers.into_iter().try_for_each(|w| w.join().expect("a worker does not panic"))
    })?;
    Ok(out)
}

fn fill<T>(
    items: &[T],
    out: &mut [Point],
    first: usize,
    half: &(dyn Fn(usize, &T) -> Result<RistrettoPoint, Error> + Sync),
) -> Result<(), Error> {
    let mut index = first;
    for (items, out) in items.chunks(BATCH).zip(out.chunks_mut(BATCH)) {
        let mut halves = Vec::with_capacity(items.len());
        for item in items {
            halves.push(half(index, item)?);
            index += 1;
        }
        for (slot, point) in out.iter_mut().zip(RistrettoPoint::double_and_compress_batch(&halves)) {
            *slot = point.to_bytes();
        }
    }
    Ok(())
}
