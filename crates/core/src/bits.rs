//! Words of k bits packed without gaps, and the transpose of a bit matrix.

use crate::Error;

/// Bytes that hold `n` words of `bits` bits: ⌈n · bits / 8⌉.
///
/// # Errors
/// [`Error::Bits`] unless 1 ≤ bits ≤ 64.
pub fn packed_len(n: usize, bits: u32) -> Result<usize, Error> {
    if !(1..=64).contains(&bits) {
        return Err(Error::Bits(bits));
    }
    let length = (n as u128 * u128::from(bits)).div_ceil(8);
    Ok(usize::try_from(length).unwrap_or(usize::MAX))
}

/// The mask of a word's low `bits` bits, if `packed` has the bytes of `n` such words.
fn check(bits: u32, n: usize, packed: &[u8]) -> Result<u64, Error> {
    let length = packed_len(n, bits)?;
    if packed.len() != length {
        return Err(Error::Length("packed words", length, packed.len()));
    }
    Ok(u64::MAX >> (64 - bits))
}

/// Writes the low `bits` bits of each word to `out`, little-endian, word i from bit i · bits on.
///
/// # Errors
/// [`Error::Bits`] unless 1 ≤ bits ≤ 64; [`Error::Length`] unless `out` has [`packed_len`] bytes.
/// Higher bits of a word are dropped, not checked.
pub fn pack(words: &[u64], bits: u32, out: &mut [u8]) -> Result<(), Error> {
    let mask = check(bits, words.len(), out)?;
    let (mut filling, mut held) = (0u64, 0);
    let mut full = 0;
    for word in words.iter().map(|word| word & mask) {
        filling |= word << held;
        held += bits;
        if held >= 64 {
            out[full..full + 8].copy_from_slice(&filling.to_le_bytes());
            full += 8;
            held -= 64;
            filling = word >> (bits - held - 1) >> 1;
        }
    }
    let rest = &mut out[full..];
    rest.copy_from_slice(&filling.to_le_bytes()[..rest.len()]);
    Ok(())
}

/// The `n` words that [`pack`] turned into `data`.
///
/// # Errors
/// As [`pack`], and [`Error::TrailingBits`] if a bit after the last word is set.
pub fn unpack(data: &[u8], n: usize, bits: u32) -> Result<Vec<u64>, Error> {
    let mask = check(bits, n, data)?;
    let (whole, rest) = data.as_chunks();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let mut source = whole.iter().chain([&last]);
    let (mut current, mut left) = (0u64, 0);
    let next = |_| {
        if left >= bits {
            let word = current & mask;
            current = current >> (bits - 1) >> 1;
            left -= bits;
            return word;
        }
        let more = source.next().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let word = (current | more << left) & mask;
        let taken = bits - left;
        current = more >> (taken - 1) >> 1;
        left = 64 - taken;
        word
    };
    let words = (0..n).map(next).collect();
    if current != 0 {
        return Err(Error::TrailingBits);
    }
    Ok(words)
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

/// The bit columns of `words`: 64 rows of ceil(n / 64) words; bit i of row j is bit j of word i.
#[must_use]
pub fn columns(words: &[u64]) -> Vec<u64> {
    let width = words.len().div_ceil(64);
    let mut out = vec![0; 64 * width];
    let mut block = [0; 64];
    for (at, chunk) in words.chunks(64).enumerate() {
        block[..chunk.len()].copy_from_slice(chunk);
        block[chunk.len()..].fill(0);
        transpose64(&mut block);
        for (row, word) in out.chunks_exact_mut(width).zip(block) {
            row[at] = word;
        }
    }
    out
}

/// The `n` words whose bit columns these are.
///
/// # Errors
/// [`Error::Length`] unless there are 64 · ceil(n / 64) words; [`Error::TrailingBits`] if a bit
/// after the last word is set.
pub fn words(columns: &[u64], n: usize) -> Result<Vec<u64>, Error> {
    let width = n.div_ceil(64);
    if columns.len() != 64 * width {
        return Err(Error::Length("bit columns", 64 * width, columns.len()));
    }
    let mut out = Vec::with_capacity(64 * width);
    for at in 0..width {
        let mut block = core::array::from_fn(|j| columns[j * width + at]);
        transpose64(&mut block);
        out.extend_from_slice(&block);
    }
    if out[n..].iter().any(|&word| word != 0) {
        return Err(Error::TrailingBits);
    }
    out.truncate(n);
    Ok(out)
}
