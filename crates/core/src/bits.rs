//! Words of k bits packed without gaps, and the transpose of a bit matrix.

use crate::Error;

/// Bytes that hold `n` words of `bits` bits: ceil(n · bits / 8).
#[must_use]
pub fn packed_len(n: usize, bits: u32) -> usize {
    let (n, bits) = (n as u128, u128::from(bits));
    usize::try_from((n * bits).div_ceil(8)).unwrap_or(usize::MAX)
}

fn check(bits: u32) -> Result<u64, Error> {
    if !(1..=64).contains(&bits) {
        return Err(Error::Bits(bits));
    }
    Ok(u64::MAX >> (64 - bits))
}

/// The low `bits` bits of each word, little-endian, word i from bit i · bits on.
///
/// # Errors
/// [`Error::Bits`] unless 1 ≤ bits ≤ 64. Higher bits of a word are dropped, not checked.
pub fn pack(words: &[u64], bits: u32) -> Result<Vec<u8>, Error> {
    let mask = check(bits)?;
    let length = packed_len(words.len(), bits);
    let mut out = Vec::with_capacity(length + 16);
    let (mut pending, mut held) = (0u128, 0u32);
    for &word in words {
        pending |= u128::from(word & mask) << held;
        held += bits;
        if held >= 64 {
            out.extend_from_slice(&low(pending).to_le_bytes());
            pending >>= 64;
            held -= 64;
        }
    }
    out.extend_from_slice(&low(pending).to_le_bytes());
    out.truncate(length);
    Ok(out)
}

/// The `n` words that [`pack`] turned into `data`.
///
/// # Errors
/// [`Error::Bits`]; [`Error::Length`] unless `data` has exactly [`packed_len`] bytes;
/// [`Error::TrailingBits`] if a bit after the last word is set.
pub fn unpack(data: &[u8], n: usize, bits: u32) -> Result<Vec<u64>, Error> {
    let mask = check(bits)?;
    let length = packed_len(n, bits);
    if data.len() != length {
        return Err(Error::Length("packed words", length, data.len()));
    }
    let (mut pending, mut held) = (0u128, 0u32);
    let mut source = data.chunks(8);
    let mut out = Vec::with_capacity(n);
    for _ in 0..n {
        if held < bits {
            pending |= u128::from(word(source.next().unwrap_or(&[]))) << held;
            held += 64;
        }
        out.push(low(pending) & mask);
        pending >>= bits;
        held -= bits;
    }
    if pending != 0 {
        return Err(Error::TrailingBits);
    }
    Ok(out)
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is asked for")]
fn low(x: u128) -> u64 {
    x as u64
}

fn word(bytes: &[u8]) -> u64 {
    let mut padded = [0; 8];
    padded[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(padded)
}

/// Transposes a 64 × 64 bit matrix in place: bit j of word i becomes bit i of word j.
///
/// Hacker's Delight, 2nd edition, section 7-3.
pub fn transpose64(rows: &mut [u64; 64]) {
    let mut half = 32;
    let mut mask = u64::MAX >> 32;
    while half > 0 {
        let mut i = 0;
        while i < 64 {
            let swap = ((rows[i] >> half) ^ rows[i + half]) & mask;
            rows[i] ^= swap << half;
            rows[i + half] ^= swap;
            i = (i + half + 1) & !half;
        }
        half /= 2;
        mask ^= mask << half;
    }
}
