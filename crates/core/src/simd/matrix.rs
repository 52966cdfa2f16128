//! Tiles of the matrix product modulo 2^64 for AVX2 and AVX-512.
#![expect(unsafe_code, reason = "vector loads and stores, and calls that need an instruction set")]

use core::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_add_epi64, _mm256_loadu_si256, _mm256_mul_epu32,
    _mm256_mullo_epi32, _mm256_set1_epi64x, _mm256_setzero_si256, _mm256_shuffle_epi32,
    _mm256_slli_epi64, _mm256_storeu_si256, _mm512_add_epi64, _mm512_loadu_si512,
    _mm512_mullo_epi64, _mm512_set1_epi64, _mm512_setzero_si512, _mm512_storeu_si512,
};

use crate::Features;
use crate::ring::{self, COLS, Kernels, ROWS, Tile};

/// The fastest inner loops that `features` allows.
pub(crate) fn kernels(features: Features) -> Kernels {
    if features.avx512() {
        return Kernels {
            // SAFETY: `features` vouches for AVX-512 F and DQ, here and in the next two lines.
            tile: |a, b| unsafe { tile_avx512(a, b) },
            // SAFETY: as above.
            dots: |rows, column, out| unsafe { dots_avx512(rows, column, out) },
            // SAFETY: as above.
            axpys: |a, b, out, shape| unsafe { axpys_avx512(a, b, out, shape) },
        };
    }
    if features.avx2() {
        return Kernels {
            // SAFETY: `features` vouches for AVX2, here and in the next two lines.
            tile: |a, b| unsafe { tile_avx2(a, b) },
            // SAFETY: as above.
            dots: |rows, column, out| unsafe { dots_avx2(rows, column, out) },
            // SAFETY: as above.
            axpys: |a, b, out, shape| unsafe { axpys_avx2(a, b, out, shape) },
        };
    }
    Kernels::PORTABLE
}

/// AVX-512 DQ multiplies 64-bit lanes.
#[target_feature(enable = "avx512f,avx512dq")]
fn tile_avx512(a: &[[u64; ROWS]], b: &[[u64; COLS]]) -> Tile {
    let mut sums = [_mm512_setzero_si512(); ROWS];
    for (left, right) in a.iter().zip(b) {
        // SAFETY: `right` is 64 readable bytes; the load asks no alignment.
        let y = unsafe { _mm512_loadu_si512(right.as_ptr().cast()) };
        for (sum, x) in sums.iter_mut().zip(left) {
            let x = _mm512_set1_epi64(x.cast_signed());
            *sum = _mm512_add_epi64(*sum, _mm512_mullo_epi64(x, y));
        }
    }
    let mut tile = [[0; COLS]; ROWS];
    for (row, sum) in tile.iter_mut().zip(sums) {
        // SAFETY: `row` is 64 writable bytes; the store asks no alignment.
        unsafe { _mm512_storeu_si512(row.as_mut_ptr().cast(), sum) }
    }
    tile
}

/// Two products of 32-bit lanes for one of 64 bits.
///
/// With x = x1·2^32 + x0: x·y = x0·y0 + 2^32·(x0·y1 + x1·y0) mod 2^64. The first product keeps
/// 64 bits of the even lanes; the second keeps 32 bits of every lane, against y with its halves
/// swapped. Both are summed apart and joined once.
#[target_feature(enable = "avx2")]
fn tile_avx2(a: &[[u64; ROWS]], b: &[[u64; COLS]]) -> Tile {
    let mut tile = [[0; COLS]; ROWS];
    for half in 0..2 {
        let mut low = [_mm256_setzero_si256(); ROWS];
        let mut cross = [_mm256_setzero_si256(); ROWS];
        for (left, right) in a.iter().zip(b) {
            let y = load(&right.as_chunks().0[half]);
            let swapped = swap(y);
            for r in 0..ROWS {
                let x = _mm256_set1_epi64x(left[r].cast_signed());
                low[r] = _mm256_add_epi64(low[r], _mm256_mul_epu32(x, y));
                cross[r] = _mm256_add_epi32(cross[r], _mm256_mullo_epi32(x, swapped));
            }
        }
        for (row, (low, cross)) in tile.iter_mut().zip(low.into_iter().zip(cross)) {
            let high = _mm256_slli_epi64::<32>(_mm256_add_epi32(cross, swap(cross)));
            store(&mut row.as_chunks_mut().0[half], _mm256_add_epi64(low, high));
        }
    }
    tile
}

/// Each 64-bit lane with its halves swapped.
#[target_feature(enable = "avx2")]
fn swap(x: __m256i) -> __m256i {
    _mm256_shuffle_epi32::<0b10_11_00_01>(x)
}

#[target_feature(enable = "avx2")]
fn load(words: &[u64; 4]) -> __m256i {
    // SAFETY: 32 readable bytes; the load asks no alignment.
    unsafe { _mm256_loadu_si256(words.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
fn store(words: &mut [u64; 4], value: __m256i) {
    // SAFETY: 32 writable bytes; the store asks no alignment.
    unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), value) }
}

#[target_feature(enable = "avx512f,avx512dq")]
fn dots_avx512(rows: &[u64], column: &[u64], out: &mut [u64]) {
    ring::dots(rows, column, out);
}

#[target_feature(enable = "avx2")]
fn dots_avx2(rows: &[u64], column: &[u64], out: &mut [u64]) {
    ring::dots(rows, column, out);
}

#[target_feature(enable = "avx512f,avx512dq")]
fn axpys_avx512(a: &[u64], b: &[u64], out: &mut [u64], shape: (usize, usize)) {
    ring::axpys(a, b, out, shape);
}

#[target_feature(enable = "avx2")]
fn axpys_avx2(a: &[u64], b: &[u64], out: &mut [u64], shape: (usize, usize)) {
    ring::axpys(a, b, out, shape);
}
