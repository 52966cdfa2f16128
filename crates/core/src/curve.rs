//! ristretto255: hash to group, blind, evaluate, in batches.
//!
//! Source: RFC 9496 (group), RFC 9380 §5.3.1 (`expand_message_xmd`), RFC 9497 §4.1 (hash to group).

use core::convert::Infallible;

use curve25519_dalek::RistrettoPoint;
use curve25519_dalek::ristretto::CompressedRistretto;
use sha2::{Digest, Sha512};

use crate::Error;
use crate::keys::SecretScalar;

/// The encoding of a group element.
pub type Point = [u8; 32];

const HASH: usize = 64;
/// The most bytes that `expand_message_xmd` gives.
const MOST: u16 = 255 * 64;
const HASH_BLOCK: usize = 128;
/// Points encoded together: one field inversion for all of them.
const BATCH: usize = 256;

/// A domain separation tag with its length appended, as `expand_message_xmd` wants it.
pub struct Tag(Vec<u8>);

impl Tag {
    /// The tag of any length: above 255 bytes it is hashed first (RFC 9380 §5.3.3).
    #[must_use]
    pub fn new(tag: &[u8]) -> Self {
        let Ok(length) = u8::try_from(tag.len()) else {
            let hash = Sha512::new().chain_update(b"H2C-OVERSIZE-DST-").chain_update(tag);
            return Self([hash.finalize().as_slice(), &[64]].concat());
        };
        Self([tag, &[length]].concat())
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
    match u16::try_from(out.len()) {
        Ok(length @ 1..=MOST) => expand(message, tag, length, out),
        _ => return Err(Error::Expand(out.len())),
    }
    Ok(())
}

fn expand(message: &[u8], tag: &Tag, length: u16, out: &mut [u8]) {
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
        let hash = Sha512::new().chain_update(block).chain_update([index]).chain_update(&tag.0);
        block.copy_from_slice(&hash.finalize());
        chunk.copy_from_slice(&block[..chunk.len()]);
    }
}

/// The group element that `message` hashes to; no one knows its discrete logarithm.
#[must_use]
pub fn hash_to_group(message: &[u8], tag: &Tag) -> RistrettoPoint {
    let mut uniform = [0; 64];
    expand(message, tag, 64, &mut uniform);
    RistrettoPoint::from_uniform_bytes(&uniform)
}

/// k · H(item) for each item, in the order given. Time depends on the items' lengths, not on k.
#[must_use]
pub fn blind<T: AsRef<[u8]> + Sync>(
    key: &SecretScalar,
    items: &[T],
    tag: &Tag,
    threads: usize,
) -> Vec<Point> {
    let half = |_: usize, item: &T| Ok(hash_to_group(item.as_ref(), tag) * key.half());
    let Ok(points) = batches::<_, Infallible>(items, threads, &half);
    points
}

/// k · P for each encoded point P, in the order given. Time does not depend on k.
///
/// # Errors
/// [`Error::Point`] at a non-canonical encoding or the identity.
pub fn evaluate(key: &SecretScalar, points: &[Point], threads: usize) -> Result<Vec<Point>, Error> {
    let half = |index: usize, bytes: &Point| Ok(decode(bytes, index)? * key.half());
    batches(points, threads, &half)
}

/// The element that `bytes` encode canonically, never the identity.
fn decode(bytes: &Point, index: usize) -> Result<RistrettoPoint, Error> {
    let identity = *bytes == [0; 32];
    let element = CompressedRistretto(*bytes).decompress().filter(|_| !identity);
    element.ok_or(Error::Point(index))
}

/// Maps each item to half its result and encodes the doubles, on at most `threads` threads.
fn batches<T: Sync, E: Send>(
    items: &[T],
    threads: usize,
    half: &(dyn Fn(usize, &T) -> Result<RistrettoPoint, E> + Sync),
) -> Result<Vec<Point>, E> {
    let mut out = vec![[0; 32]; items.len()];
    let share = items.len().div_ceil(threads.max(1)).max(BATCH);
    std::thread::scope(|scope| {
        let mut parts = items.chunks(share).zip(out.chunks_mut(share)).enumerate();
        let own = parts.next();
        let others: Vec<_> = parts
            .map(|(part, (items, out))| scope.spawn(move || fill(items, out, part * share, half)))
            .collect();
        own.map_or(Ok(()), |(_, (items, out))| fill(items, out, 0, half))?;
        others.into_iter().try_for_each(|other| other.join().expect("a worker does not panic"))
    })?;
    Ok(out)
}

fn fill<T, E>(
    items: &[T],
    out: &mut [Point],
    first: usize,
    half: &(dyn Fn(usize, &T) -> Result<RistrettoPoint, E> + Sync),
) -> Result<(), E> {
    let starts = (first..).step_by(BATCH);
    for (start, (items, out)) in starts.zip(items.chunks(BATCH).zip(out.chunks_mut(BATCH))) {
        let halves: Result<Vec<_>, E> =
            items.iter().enumerate().map(|(at, item)| half(start + at, item)).collect();
        let encoded = RistrettoPoint::double_and_compress_batch(&halves?);
        for (slot, point) in out.iter_mut().zip(encoded) {
            *slot = point.to_bytes();
        }
    }
    Ok(())
}
