//! Gates on rows of bits, and the transpose that makes rows, for AVX2 and AVX-512.
#![expect(unsafe_code, reason = "vector loads and stores, and calls that need an instruction set")]

use core::arch::x86_64::{
    __m512i, _mm512_gf2p8affine_epi64_epi8, _mm512_loadu_si512, _mm512_permutexvar_epi8,
    _mm512_set1_epi64, _mm512_shuffle_i64x2, _mm512_storeu_si512, _mm512_unpackhi_epi64,
    _mm512_unpacklo_epi64,
};

use crate::Features;
use crate::planes::{self, Digit, Kernels};
use crate::simd::Work;

/// The fastest inner loops that `features` allows.
pub(crate) fn plane_kernels(features: Features) -> Kernels {
    let mut kernels = Kernels::PORTABLE;
    if features.avx2() {
        // SAFETY: `features` vouches for AVX2, here and in the next line.
        kernels.look_up = |digit, less, equal| unsafe { look_up_avx2(digit, less, equal) };
        // SAFETY: as above.
        kernels.tables = |bits, table, width| unsafe { tables_avx2(bits, table, width) };
    }
    if features.avx512() {
        // SAFETY: `features` vouches for AVX-512 F and DQ, here and in the next line.
        kernels.look_up = |digit, less, equal| unsafe { look_up_avx512(digit, less, equal) };
        // SAFETY: as above.
        kernels.tables = |bits, table, width| unsafe { tables_avx512(bits, table, width) };
    }
    if features.vbmi() {
        // SAFETY: `features` vouches for AVX-512 F, DQ, VBMI and GFNI.
        kernels.transpose = |words, rows, width| unsafe { transpose_gfni(words, rows, width) };
    }
    kernels
}

/// The result of `work`, which is compiled again for each instruction set.
pub(crate) fn widest<W: Work>(features: Features, work: W) -> W::Output {
    if features.avx512() {
        // SAFETY: `features` vouches for AVX-512 F and DQ.
        unsafe { with_avx512(work) }
    } else if features.avx2() {
        // SAFETY: `features` vouches for AVX2.
        unsafe { with_avx2(work) }
    } else {
        work.run()
    }
}

#[target_feature(enable = "avx2")]
fn with_avx2<W: Work>(work: W) -> W::Output {
    work.run()
}

#[target_feature(enable = "avx512f,avx512dq")]
fn with_avx512<W: Work>(work: W) -> W::Output {
    work.run()
}

#[target_feature(enable = "avx2")]
fn look_up_avx2(digit: Digit<'_>, less: &mut [u64], equal: &mut [u64]) {
    planes::look_up(digit, less, equal);
}

#[target_feature(enable = "avx512f,avx512dq")]
fn look_up_avx512(digit: Digit<'_>, less: &mut [u64], equal: &mut [u64]) {
    planes::look_up(digit, less, equal);
}

#[target_feature(enable = "avx2")]
fn tables_avx2(bits: &[u64], table: &mut [u64], width: usize) {
    planes::tables(bits, table, width);
}

#[target_feature(enable = "avx512f,avx512dq")]
fn tables_avx512(bits: &[u64], table: &mut [u64], width: usize) {
    planes::tables(bits, table, width);
}

/// Transposes blocks of 64 × 64 bits: of 8 × 8 by GFNI, and of bytes and words by permutations.
#[target_feature(enable = "avx512f,avx512dq,avx512vbmi,gfni")]
fn transpose_gfni(words: &[u64], rows: &mut [u64], width: usize) {
    let (blocks, _) = words.as_chunks::<64>();
    let (gather, spread) = (load(&BYTES_REVERSED), load(&BYTES));
    for (at, block) in blocks.iter().enumerate() {
        let (lines, _) = block.as_chunks::<8>();
        let mut parts = [gather; 8];
        for (part, line) in parts.iter_mut().zip(lines) {
            *part = bits8(load(line), gather);
        }
        for (index, part) in words8(&parts).into_iter().enumerate() {
            let mut found = [0; 8];
            store(&mut found, _mm512_permutexvar_epi8(spread, part));
            for (k, word) in found.into_iter().enumerate() {
                rows[(8 * index + k) * width + at] = word;
            }
        }
    }
}

/// Byte 8i + j of a vector from byte 8j + i.
const BYTES: [u64; 8] = bytes(false);
/// The same with the bytes of each word in reverse, as GFNI numbers the rows of a matrix.
const BYTES_REVERSED: [u64; 8] = bytes(true);

const fn bytes(reversed: bool) -> [u64; 8] {
    let mut words = [0; 8];
    let mut at = 0;
    while at < 64 {
        let (i, j) = (at / 8, at % 8);
        let from = if reversed { 8 * (7 - j) + i } else { 8 * j + i };
        words[i] |= (from as u64) << (8 * j);
        at += 1;
    }
    words
}

/// Byte b of 8 words as word b, and in each the 8 × 8 bits transposed: byte k holds bit k of each.
#[target_feature(enable = "avx512f,avx512vbmi,gfni")]
fn bits8(words: __m512i, gather: __m512i) -> __m512i {
    let identity = _mm512_set1_epi64(0x8040_2010_0804_0201_u64.cast_signed());
    _mm512_gf2p8affine_epi64_epi8::<0>(identity, _mm512_permutexvar_epi8(gather, words))
}

/// The transpose of 8 × 8 words: pairs of words, then of pairs, then of quarters.
#[target_feature(enable = "avx512f")]
fn words8(rows: &[__m512i; 8]) -> [__m512i; 8] {
    let (mut pairs, mut quarters, mut out) = (*rows, *rows, *rows);
    for i in 0..4 {
        pairs[2 * i] = _mm512_unpacklo_epi64(rows[2 * i], rows[2 * i + 1]);
        pairs[2 * i + 1] = _mm512_unpackhi_epi64(rows[2 * i], rows[2 * i + 1]);
    }
    for i in [0, 1, 4, 5] {
        quarters[i] = _mm512_shuffle_i64x2::<EVEN>(pairs[i], pairs[i + 2]);
        quarters[i + 2] = _mm512_shuffle_i64x2::<ODD>(pairs[i], pairs[i + 2]);
    }
    for i in 0..4 {
        out[i] = _mm512_shuffle_i64x2::<EVEN>(quarters[i], quarters[i + 4]);
        out[i + 4] = _mm512_shuffle_i64x2::<ODD>(quarters[i], quarters[i + 4]);
    }
    out
}

/// The first and third quarter of either operand.
const EVEN: i32 = 0b10_00_10_00;
/// The second and fourth.
const ODD: i32 = 0b11_01_11_01;

#[target_feature(enable = "avx512f")]
fn load(words: &[u64; 8]) -> __m512i {
    // SAFETY: 64 readable bytes; the load asks no alignment.
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f")]
fn store(words: &mut [u64; 8], value: __m512i) {
    // SAFETY: 64 writable bytes; the store asks no alignment.
    unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), value) }
}
