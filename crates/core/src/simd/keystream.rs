//! AES-128 in counter mode on 256-bit vectors: two blocks an instruction, sixteen in flight.
#![expect(unsafe_code, reason = "vector loads and stores, and calls that need an instruction set")]

use core::arch::x86_64::{
    __m128i, __m256i, _mm_aeskeygenassist_si128, _mm_loadu_si128, _mm_shuffle_epi32,
    _mm_slli_si128, _mm_storeu_si128, _mm_xor_si128, _mm256_add_epi64, _mm256_aesenc_epi128,
    _mm256_aesenclast_epi128, _mm256_broadcastsi128_si256, _mm256_set_epi64x, _mm256_setzero_si256,
    _mm256_storeu_si256, _mm256_xor_si256,
};

use zeroize::Zeroizing;

use crate::Features;

const LANES: usize = 8;
pub(crate) const ROUNDS: usize = 10;

pub(crate) type RoundKeys = [[u8; 16]; ROUNDS + 1];

/// An expanded key, wiped on drop. That it exists proves that the processor has VAES.
pub(crate) struct WideAes(Zeroizing<RoundKeys>);

impl WideAes {
    /// Bytes written together.
    pub(crate) const CHUNK: usize = LANES * 32;

    /// The expanded key, if `features` has VAES.
    pub(crate) fn new(key: &[u8; 16], features: Features) -> Option<Self> {
        // SAFETY: `features` vouches for AVX2, AES and VAES.
        features.vaes().then(|| Self(Zeroizing::new(unsafe { expand(key) })))
    }

    /// Writes the blocks of `stream` from number `counter` on, wrapping at 2^64.
    pub(crate) fn fill(&self, stream: u64, counter: u64, out: &mut [[u8; Self::CHUNK]]) {
        // SAFETY: `new` saw AVX2, AES and VAES.
        unsafe { fill(&self.0, stream, counter, out) }
    }
}

/// The key expansion of FIPS 197 §5.2.
#[target_feature(enable = "avx2,aes")]
pub(crate) fn expand(key: &[u8; 16]) -> RoundKeys {
    let mut keys = [*key; ROUNDS + 1];
    let mut last = load(key);
    macro_rules! next {
        ($round:literal, $constant:literal) => {
            last = mix(last, _mm_aeskeygenassist_si128::<$constant>(last));
            store(&mut keys[$round], last);
        };
    }
    next!(1, 0x01);
    next!(2, 0x02);
    next!(3, 0x04);
    next!(4, 0x08);
    next!(5, 0x10);
    next!(6, 0x20);
    next!(7, 0x40);
    next!(8, 0x80);
    next!(9, 0x1b);
    next!(10, 0x36);
    keys
}

/// The next round key: each word is the xor of the words up to it and of the last assisted word.
#[target_feature(enable = "avx2,aes")]
fn mix(key: __m128i, assisted: __m128i) -> __m128i {
    let pairs = _mm_xor_si128(key, _mm_slli_si128::<4>(key));
    let sums = _mm_xor_si128(pairs, _mm_slli_si128::<8>(pairs));
    _mm_xor_si128(sums, _mm_shuffle_epi32::<0xff>(assisted))
}

#[target_feature(enable = "avx2,aes,vaes")]
fn fill(keys: &RoundKeys, stream: u64, counter: u64, out: &mut [[u8; WideAes::CHUNK]]) {
    let keys = keys.each_ref().map(|key| _mm256_broadcastsi128_si256(load(key)));
    let (stream, first) = (stream.cast_signed(), counter.cast_signed());
    let mut input = _mm256_set_epi64x(first.wrapping_add(1), stream, first, stream);
    let step = _mm256_set_epi64x(2, 0, 2, 0);
    for chunk in out {
        let mut blocks = [_mm256_setzero_si256(); LANES];
        for block in &mut blocks {
            *block = _mm256_xor_si256(input, keys[0]);
            input = _mm256_add_epi64(input, step);
        }
        for key in &keys[1..ROUNDS] {
            for block in &mut blocks {
                *block = _mm256_aesenc_epi128(*block, *key);
            }
        }
        for (pair, block) in chunk.as_chunks_mut().0.iter_mut().zip(blocks) {
            store_pair(pair, _mm256_aesenclast_epi128(block, keys[ROUNDS]));
        }
    }
}

#[target_feature(enable = "avx2")]
fn load(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: 16 readable bytes; the load asks no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
fn store(bytes: &mut [u8; 16], value: __m128i) {
    // SAFETY: 16 writable bytes; the store asks no alignment.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), value) }
}

#[target_feature(enable = "avx2")]
fn store_pair(bytes: &mut [u8; 32], value: __m256i) {
    // SAFETY: 32 writable bytes; the store asks no alignment.
    unsafe { _mm256_storeu_si256(bytes.as_mut_ptr().cast(), value) }
}
