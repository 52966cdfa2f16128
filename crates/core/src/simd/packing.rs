//! Packed words by permutations of bytes: eight words in a few instructions, at any width.
#![expect(unsafe_code, reason = "vector loads and stores, and calls that need an instruction set")]

use core::arch::x86_64::{
    __m512i, _MM_HINT_T1, _mm_prefetch, _mm512_and_si512, _mm512_loadu_si512,
    _mm512_maskz_permutexvar_epi8, _mm512_maskz_set1_epi8, _mm512_or_si512,
    _mm512_permutexvar_epi8, _mm512_set1_epi8, _mm512_set1_epi64, _mm512_shrdv_epi64,
    _mm512_sllv_epi64, _mm512_srlv_epi64, _mm512_storeu_si512, _mm512_sub_epi64,
    _mm512_test_epi8_mask,
};

use crate::Features;

/// Words of a group, which fill whole bytes.
const GROUP: usize = 8;
/// Bytes of a vector.
const VECTOR: usize = 64;
/// The widest words that reach into no ninth byte wherever in a byte they begin.
const FITTING: usize = 57;
/// The narrowest words whose neighbours but one share no byte.
const LEAST: usize = 8;

/// Packs as many groups as fit, and tells how many words that is.
pub(crate) fn pack(words: &[u64], bits: u32, out: &mut [u8], features: Features) -> usize {
    let bits = bits as usize;
    if !features.vbmi() || !(LEAST..64).contains(&bits) || out.len() < VECTOR {
        return 0;
    }
    let groups = ((out.len() - VECTOR) / bits + 1).min(words.len() / GROUP);
    let words = &words[..GROUP * groups];
    if bits <= FITTING {
        // SAFETY: `features` vouches for the instruction sets.
        unsafe { pack_groups::<false>(words, bits, out) }
    } else {
        // SAFETY: as above.
        unsafe { pack_groups::<true>(words, bits, out) }
    }
    words.len()
}

/// Unpacks as many groups as may be read in whole vectors, and tells how many words that is.
pub(crate) fn unpack(data: &[u8], bits: u32, words: &mut [u64], features: Features) -> usize {
    let bits = bits as usize;
    if !features.vbmi() || bits >= 64 || data.len() < VECTOR {
        return 0;
    }
    let groups = ((data.len() - VECTOR) / bits + 1).min(words.len() / GROUP);
    let words = &mut words[..GROUP * groups];
    if bits <= FITTING {
        // SAFETY: `features` vouches for the instruction sets.
        unsafe { unpack_groups::<false>(data, bits, words) }
    } else {
        // SAFETY: as above.
        unsafe { unpack_groups::<true>(data, bits, words) }
    }
    words.len()
}

/// Writes whole words of 64 bits as bytes of 0 and 1, and tells how many words that is.
pub(crate) fn spread(words: &[u64], out: &mut [u8], features: Features) -> usize {
    if !features.vbmi() {
        return 0;
    }
    let (chunks, _) = out.as_chunks_mut();
    let count = words.len().min(chunks.len());
    // SAFETY: `features` vouches for the instruction sets.
    unsafe { spread_words(&words[..count], &mut chunks[..count]) }
    count
}

/// Writes whole words from the lowest bits of bytes, and tells how many words that is.
pub(crate) fn gather(bits: &[u8], words: &mut [u64], features: Features) -> usize {
    if !features.vbmi() {
        return 0;
    }
    let (chunks, _) = bits.as_chunks();
    let count = words.len().min(chunks.len());
    // SAFETY: `features` vouches for the instruction sets.
    unsafe { gather_words(&chunks[..count], &mut words[..count]) }
    count
}

/// Asks for bytes that are soon read.
pub(crate) fn prefetch(data: &[u8]) {
    for line in data.chunks(VECTOR) {
        // SAFETY: a hint, and every x86-64 processor takes it.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) }
    }
}

/// Which bytes of eight shifted words make those of a group.
///
/// Words with even numbers share no byte with each other, nor do those with odd ones; a shifted
/// word may reach into a ninth byte.
struct Packing {
    shifts: [u64; GROUP],
    even: ([u8; VECTOR], u64),
    odd: ([u8; VECTOR], u64),
    ninth: ([u8; VECTOR], u64),
}

/// Where each of eight words begins in a group: its eight bytes, the ninth, and the bits before.
struct Unpacking {
    bytes: [u8; VECTOR],
    ninth: [u8; VECTOR],
    shifts: [u64; GROUP],
}

static PACKING: [Packing; 64] = {
    let mut all = [const { packing(LEAST) }; 64];
    let mut bits = LEAST;
    while bits < 64 {
        all[bits] = packing(bits);
        bits += 1;
    }
    all
};

static UNPACKING: [Unpacking; 64] = {
    let mut all = [const { unpacking(1) }; 64];
    let mut bits = 1;
    while bits < 64 {
        all[bits] = unpacking(bits);
        bits += 1;
    }
    all
};

const fn packing(bits: usize) -> Packing {
    let mut found = Packing {
        shifts: [0; GROUP],
        even: ([0; VECTOR], 0),
        odd: ([0; VECTOR], 0),
        ninth: ([0; VECTOR], 0),
    };
    let mut i = 0;
    while i < GROUP {
        let (first, shift) = (i * bits / 8, i * bits % 8);
        found.shifts[i] = shift as u64;
        let mut k = 0;
        while k < (shift + bits).div_ceil(8) {
            let part = match (k, i % 2) {
                (8, _) => &mut found.ninth,
                (_, 0) => &mut found.even,
                _ => &mut found.odd,
            };
            part.0[first + k] = byte(8 * i + k % 8);
            part.1 |= 1 << (first + k);
            k += 1;
        }
        i += 1;
    }
    found
}

const fn unpacking(bits: usize) -> Unpacking {
    let mut found = Unpacking { bytes: [0; VECTOR], ninth: [0; VECTOR], shifts: [0; GROUP] };
    let mut i = 0;
    while i < GROUP {
        let first = i * bits / 8;
        found.shifts[i] = (i * bits % 8) as u64;
        let mut k = 0;
        while k < 8 {
            found.bytes[8 * i + k] = byte(first + k);
            found.ninth[8 * i + k] = byte(first + 8);
            k += 1;
        }
        i += 1;
    }
    found
}

/// The number of a byte of a vector.
#[expect(clippy::cast_possible_truncation, reason = "masked")]
const fn byte(at: usize) -> u8 {
    (at & (VECTOR - 1)) as u8
}

#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vbmi")]
fn pack_groups<const NINTH: bool>(words: &[u64], bits: usize, out: &mut [u8]) {
    let Packing { shifts, even, odd, ninth } = &PACKING[bits];
    let (even_bytes, odd_bytes) = (load_bytes(&even.0), load_bytes(&odd.0));
    let (shift, ninth_bytes) = (load(shifts), load_bytes(&ninth.0));
    let back = _mm512_sub_epi64(_mm512_set1_epi64(64), shift);
    let mask = _mm512_set1_epi64((u64::MAX >> (64 - bits)).cast_signed());
    for (group, words) in words.as_chunks().0.iter().enumerate() {
        let words = _mm512_and_si512(load(words), mask);
        let low = _mm512_sllv_epi64(words, shift);
        let evens = _mm512_maskz_permutexvar_epi8(even.1, even_bytes, low);
        let odds = _mm512_maskz_permutexvar_epi8(odd.1, odd_bytes, low);
        let mut packed = _mm512_or_si512(evens, odds);
        if NINTH {
            let high = _mm512_srlv_epi64(words, back);
            let ninths = _mm512_maskz_permutexvar_epi8(ninth.1, ninth_bytes, high);
            packed = _mm512_or_si512(packed, ninths);
        }
        if let Some(out) = out[group * bits..].first_chunk_mut() {
            store_bytes(out, packed);
        }
    }
}

#[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vbmi,avx512vbmi2")]
fn unpack_groups<const NINTH: bool>(data: &[u8], bits: usize, words: &mut [u64]) {
    let Unpacking { bytes, ninth, shifts } = &UNPACKING[bits];
    let (bytes, ninth, shift) = (load_bytes(bytes), load_bytes(ninth), load(shifts));
    let mask = _mm512_set1_epi64((u64::MAX >> (64 - bits)).cast_signed());
    for (group, words) in words.as_chunks_mut().0.iter_mut().enumerate() {
        if let Some(data) = data[group * bits..].first_chunk() {
            let data = load_bytes(data);
            let low = _mm512_permutexvar_epi8(bytes, data);
            let found = if NINTH {
                _mm512_shrdv_epi64(low, _mm512_permutexvar_epi8(ninth, data), shift)
            } else {
                _mm512_srlv_epi64(low, shift)
            };
            store(words, _mm512_and_si512(found, mask));
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw")]
fn spread_words(words: &[u64], out: &mut [[u8; VECTOR]]) {
    for (word, bytes) in words.iter().zip(out) {
        store_bytes(bytes, _mm512_maskz_set1_epi8(*word, 1));
    }
}

#[target_feature(enable = "avx512f,avx512bw")]
fn gather_words(bits: &[[u8; VECTOR]], words: &mut [u64]) {
    for (bytes, word) in bits.iter().zip(words) {
        *word = _mm512_test_epi8_mask(load_bytes(bytes), _mm512_set1_epi8(1));
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(words: &[u64; GROUP]) -> __m512i {
    // SAFETY: 64 readable bytes; the load asks no alignment.
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_bytes(bytes: &[u8; VECTOR]) -> __m512i {
    // SAFETY: 64 readable bytes; the load asks no alignment.
    unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(words: &mut [u64; GROUP], value: __m512i) {
    // SAFETY: 64 writable bytes; the store asks no alignment.
    unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), value) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store_bytes(bytes: &mut [u8; VECTOR], value: __m512i) {
    // SAFETY: 64 writable bytes; the store asks no alignment.
    unsafe { _mm512_storeu_si512(bytes.as_mut_ptr().cast(), value) }
}
