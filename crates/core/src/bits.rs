//! Words of k bits packed without gaps, runs of bits, and the transpose of a bit matrix.

use crate::{Error, Features, simd};

/// Words that fill whole bytes at every width.
const GROUP: usize = 8;

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

/// Refuses bytes that are not those of `n` words of `bits` bits.
///
/// # Errors
/// [`Error::Bits`] and [`Error::Length`].
pub fn check(bits: u32, n: usize, packed: &[u8]) -> Result<(), Error> {
    let length = packed_len(n, bits)?;
    if packed.len() != length {
        return Err(Error::Length("packed words", length, packed.len()));
    }
    Ok(())
}

/// Writes the low `bits` bits of each word to `out`, little-endian, word i from bit i · bits on.
///
/// # Errors
/// [`Error::Bits`] unless 1 ≤ bits ≤ 64; [`Error::Length`] unless `out` has [`packed_len`] bytes.
/// Higher bits of a word are dropped, not checked.
pub fn pack(words: &[u64], bits: u32, out: &mut [u8], features: Features) -> Result<(), Error> {
    check(bits, words.len(), out)?;
    pack_groups(words, bits, out, features);
    Ok(())
}

/// Writes the words that [`pack`] turned into `data` to `words`.
///
/// # Errors
/// As [`pack`], and [`Error::TrailingBits`] if a bit after the last word is set.
pub fn unpack(data: &[u8], bits: u32, words: &mut [u64], features: Features) -> Result<(), Error> {
    check(bits, words.len(), data)?;
    check_padding(data, words.len() * bits as usize)?;
    unpack_groups(data, bits, words, features);
    Ok(())
}

/// Refuses set bits after the first `count`.
///
/// # Errors
/// [`Error::TrailingBits`].
pub fn check_padding(data: &[u8], count: usize) -> Result<(), Error> {
    match (count % 8, data.last()) {
        (spare @ 1.., Some(last)) if last >> spare != 0 => Err(Error::TrailingBits),
        _ => Ok(()),
    }
}

/// Calls a function with its width, from 1 to 64, as a constant: shifts are then constants too.
macro_rules! at_width {
    ($bits:expr, $function:ident $arguments:tt) => {
        at_width!(@ $bits, $function $arguments,
            1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32
            33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61
            62 63)
    };
    (@ $bits:expr, $function:ident $arguments:tt, $($width:literal)*) => {
        match $bits {
            $($width => $function::<$width> $arguments,)*
            _ => $function::<64> $arguments,
        }
    };
}

/// [`pack`] for lengths that fit.
pub(crate) fn pack_groups(words: &[u64], bits: u32, out: &mut [u8], features: Features) {
    let done = simd::pack(words, bits, out, features);
    let (words, out) = (&words[done..], &mut out[done / GROUP * bits as usize..]);
    at_width!(bits, pack_width(words, out));
}

/// [`unpack`] for lengths that fit; bits after the last word are dropped.
pub(crate) fn unpack_groups(data: &[u8], bits: u32, words: &mut [u64], features: Features) {
    let done = simd::unpack(data, bits, words, features);
    let (data, words) = (&data[done / GROUP * bits as usize..], &mut words[done..]);
    at_width!(bits, unpack_width(data, words));
}

fn pack_width<const BITS: usize>(words: &[u64], mut out: &mut [u8]) {
    if BITS == 64 {
        for (bytes, word) in out.as_chunks_mut().0.iter_mut().zip(words) {
            *bytes = word.to_le_bytes();
        }
        return;
    }
    let (groups, rest) = words.as_chunks();
    for group in groups {
        let (bytes, after) = out.split_at_mut(BITS);
        bytes.copy_from_slice(&pack_group::<BITS>(group).as_flattened()[..BITS]);
        out = after;
    }
    let mut last = [0; GROUP];
    last[..rest.len()].copy_from_slice(rest);
    let bytes = out.len();
    out.copy_from_slice(&pack_group::<BITS>(&last).as_flattened()[..bytes]);
}

fn pack_group<const BITS: usize>(words: &[u64; GROUP]) -> [[u8; 8]; GROUP] {
    let mut packed = [0u64; GROUP + 1];
    for (i, word) in words.iter().enumerate() {
        let (at, shift) = (i * BITS / 64, i * BITS % 64);
        let word = word & (u64::MAX >> (64 - BITS));
        packed[at] |= word << shift;
        if shift + BITS > 64 {
            packed[at + 1] |= word >> (64 - shift);
        }
    }
    let mut out = [[0; 8]; GROUP];
    for (bytes, word) in out.iter_mut().zip(packed) {
        *bytes = word.to_le_bytes();
    }
    out
}

fn unpack_width<const BITS: usize>(mut data: &[u8], words: &mut [u64]) {
    if BITS == 64 {
        for (word, bytes) in words.iter_mut().zip(data.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        return;
    }
    let (groups, rest) = words.as_chunks_mut();
    for group in groups {
        let (bytes, after) = data.split_at(BITS);
        let mut padded = [0; 8 * GROUP];
        padded[..BITS].copy_from_slice(bytes);
        *group = unpack_group::<BITS>(&padded);
        data = after;
    }
    let mut padded = [0; 8 * GROUP];
    let bytes = data.len().min(BITS);
    padded[..bytes].copy_from_slice(&data[..bytes]);
    rest.copy_from_slice(&unpack_group::<BITS>(&padded)[..rest.len()]);
}

fn unpack_group<const BITS: usize>(bytes: &[u8; 8 * GROUP]) -> [u64; GROUP] {
    let mut packed = [0; GROUP];
    for (word, bytes) in packed.iter_mut().zip(bytes.as_chunks().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    let mut words = [0; GROUP];
    for (i, word) in words.iter_mut().enumerate() {
        let (at, shift) = (i * BITS / 64, i * BITS % 64);
        let low = packed[at] >> shift;
        let high = if shift + BITS > 64 { packed[at + 1] << (64 - shift) } else { 0 };
        *word = (low | high) & (u64::MAX >> (64 - BITS));
    }
    words
}

/// The bits `first..first + count` of `data`, in words; bits after the last are undefined.
///
/// `data` reaches to the last of them.
pub(crate) fn read_bits(data: &[u8], first: usize, count: usize, out: &mut [u64]) {
    let (begin, shift) = (first / 8, first % 8);
    let data = &data[begin..(first + count).div_ceil(8)];
    if shift == 0 {
        return simd::bytes_of_mut(out)[..data.len()].copy_from_slice(data);
    }
    let words = &mut out[..count.div_ceil(64)];
    let (whole, rest) = data.as_chunks::<8>();
    for (word, bytes) in words.iter_mut().zip(whole) {
        *word = u64::from_le_bytes(*bytes) >> shift;
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let last = u64::from_le_bytes(last);
    if let Some(word) = words.get_mut(whole.len()) {
        *word = last >> shift;
    }
    if shift > 0 {
        let after = whole.get(1..).unwrap_or_default();
        for (word, next) in words.iter_mut().zip(after) {
            *word |= u64::from_le_bytes(*next) << (64 - shift);
        }
        if let Some(word) = whole.len().checked_sub(1).and_then(|at| words.get_mut(at)) {
            *word |= last << (64 - shift);
        }
    }
}

/// Writes the first `count` bits of `words` to `out` from bit `first` on, and zeros to the rest of
/// the last byte; earlier bits of the first byte are kept.
pub(crate) fn write_bits(out: &mut [u8], first: usize, count: usize, words: &[u64]) {
    let (begin, shift) = (first / 8, first % 8);
    let out = &mut out[begin..];
    let (full, left) = (count / 64, count % 64);
    let out_first = out.first().copied().unwrap_or_default();
    let (chunks, _) = out.as_chunks_mut::<8>();
    let kept = if shift > 0 { u64::from(out_first) & ((1 << shift) - 1) } else { 0 };
    let mut carried = kept;
    if shift == 0 {
        for (bytes, word) in chunks.iter_mut().zip(&words[..full]) {
            *bytes = word.to_le_bytes();
        }
    } else {
        for (bytes, word) in chunks.iter_mut().zip(&words[..full]) {
            *bytes = (carried | word << shift).to_le_bytes();
            carried = word >> (64 - shift);
        }
    }
    let last = if left > 0 { words[full] & (u64::MAX >> (64 - left)) } else { 0 };
    let tail = u128::from(last) << shift | u128::from(carried);
    let end = (first + count).div_ceil(8) - begin;
    for (byte, value) in out[8 * full..end].iter_mut().zip(tail.to_le_bytes()) {
        *byte = value;
    }
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
