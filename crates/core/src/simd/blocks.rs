//! The fixed-key hash of eight blocks at a time: four, two or one in a vector.
#![expect(unsafe_code, reason = "vector loads and stores, and calls that need an instruction set")]
#![expect(clippy::inline_always, reason = "each instruction set compiles its own copy")]

use core::arch::x86_64::{
    __m128i, __m256i, __m512i, _mm_aesenc_si128, _mm_aesenclast_si128, _mm_loadu_si128,
    _mm_storeu_si128, _mm_unpackhi_epi64, _mm_unpacklo_epi64, _mm_xor_si128, _mm256_aesenc_epi128,
    _mm256_aesenclast_epi128, _mm256_broadcastsi128_si256, _mm256_loadu_si256, _mm256_storeu_si256,
    _mm256_unpackhi_epi64, _mm256_unpacklo_epi64, _mm256_xor_si256, _mm512_aesenc_epi128,
    _mm512_aesenclast_epi128, _mm512_andnot_si512, _mm512_broadcast_i32x4, _mm512_loadu_si512,
    _mm512_mask_xor_epi64, _mm512_set1_epi64, _mm512_storeu_si512, _mm512_test_epi64_mask,
    _mm512_unpackhi_epi64, _mm512_unpacklo_epi64, _mm512_xor_si512,
};

use crate::Features;
use crate::hash::{BlockHash, FixedKeyHash, Job, LANES};
use crate::simd::keystream::{ROUNDS, RoundKeys, expand};

/// A fixed key for whatever the processor hashes fastest with.
pub(crate) struct FixedKey {
    plain: FixedKeyHash,
    wide: Option<(RoundKeys, Features)>,
}

impl FixedKey {
    pub(crate) fn new(key: &[u8; 16], features: Features) -> Self {
        // SAFETY: `features` vouches for AVX2 and AES.
        let wide = features.aes().then(|| (unsafe { expand(key) }, features));
        Self { plain: FixedKeyHash::new(key), wide }
    }

    /// The result of the job, which is compiled again for each instruction set.
    pub(crate) fn run<J: Job>(&self, job: J) -> J::Output {
        match &self.wide {
            // SAFETY: that there are keys proves AVX2 and AES, and `features` vouches for the rest.
            Some((keys, features)) if features.vaes() && features.avx512() => unsafe {
                in_fours(keys, job)
            },
            // SAFETY: as above.
            Some((keys, features)) if features.vaes() => unsafe { in_pairs(keys, job) },
            // SAFETY: as above.
            Some((keys, _)) => unsafe { one_by_one(keys, job) },
            None => job.run(&self.plain),
        }
    }
}

#[target_feature(enable = "avx512f,avx512dq,vaes")]
fn in_fours<J: Job>(keys: &RoundKeys, job: J) -> J::Output {
    job.run(Fours(keys))
}

#[target_feature(enable = "avx2,aes,vaes")]
fn in_pairs<J: Job>(keys: &RoundKeys, job: J) -> J::Output {
    job.run(Pairs(keys))
}

#[target_feature(enable = "avx2,aes")]
fn one_by_one<J: Job>(keys: &RoundKeys, job: J) -> J::Output {
    job.run(Single(keys))
}

/// Defines a hash from the vector of so many words that holds its blocks, and what acts on it.
macro_rules! block_hash {
    ($name:ident, $features:literal, $words:literal, $hash:ident, $load:ident, $store:ident,
     $key:ident, $low:ident, $high:ident, $xor:ident, $round:ident, $last:ident $(, $rest:item)*) => {
        #[derive(Clone, Copy)]
        struct $name<'a>(&'a RoundKeys);

        impl BlockHash for $name<'_> {
            #[inline(always)]
            fn hash(self, low: &mut [u64; LANES], high: &mut [u64; LANES]) {
                // SAFETY: values of this type are made where the instruction set is enabled.
                unsafe { $hash(self.0, low, high) }
            }

            $($rest)*
        }

        /// σ of the words apart, then whole blocks, half of them in either vector of a pair.
        #[inline]
        #[target_feature(enable = $features)]
        fn $hash(keys: &RoundKeys, low: &mut [u64; LANES], high: &mut [u64; LANES]) {
            let (lows, highs) = (low.as_chunks_mut().0, high.as_chunks_mut().0);
            let mut mixed = [[$key(&keys[0]); 2]; LANES / $words];
            for (mixed, (low, high)) in mixed.iter_mut().zip(lows.iter().zip(highs.iter())) {
                let (low, high) = ($load(low), $load(high));
                let sum = $xor(low, high);
                *mixed = [$low(high, sum), $high(high, sum)];
            }
            let mut blocks = mixed;
            for block in blocks.as_flattened_mut() {
                *block = $xor(*block, $key(&keys[0]));
            }
            for key in &keys[1..ROUNDS] {
                for block in blocks.as_flattened_mut() {
                    *block = $round(*block, $key(key));
                }
            }
            for (block, mixed) in blocks.as_flattened_mut().iter_mut().zip(mixed.as_flattened()) {
                *block = $xor($last(*block, $key(&keys[ROUNDS])), *mixed);
            }
            for ([one, other], (low, high)) in blocks.into_iter().zip(lows.iter_mut().zip(highs)) {
                $store(low, $low(one, other));
                $store(high, $high(one, other));
            }
        }
    };
}

block_hash!(
    Fours,
    "avx512f,avx512dq,vaes",
    8,
    hash_fours,
    load8,
    store8,
    key4,
    _mm512_unpacklo_epi64,
    _mm512_unpackhi_epi64,
    _mm512_xor_si512,
    _mm512_aesenc_epi128,
    _mm512_aesenclast_epi128,
    #[inline(always)]
    fn add_where(self, bits: u64, words: &mut [u64; LANES], values: &[u64; LANES]) {
        // SAFETY: as in `hash`.
        unsafe { add_where(bits, words, values) }
    },
    #[inline(always)]
    fn take_lowest(self, words: &mut [u64; LANES]) -> u64 {
        // SAFETY: as in `hash`.
        unsafe { take_lowest(words) }
    }
);

#[inline]
#[target_feature(enable = "avx512f")]
fn add_where(bits: u64, words: &mut [u64; LANES], values: &[u64; LANES]) {
    let (word, value) = (load8(words), load8(values));
    let [bits, ..] = bits.to_le_bytes();
    store8(words, _mm512_mask_xor_epi64(word, bits, word, value));
}

#[inline]
#[target_feature(enable = "avx512f")]
fn take_lowest(words: &mut [u64; LANES]) -> u64 {
    let (word, one) = (load8(words), _mm512_set1_epi64(1));
    store8(words, _mm512_andnot_si512(one, word));
    u64::from(_mm512_test_epi64_mask(word, one))
}
block_hash!(
    Pairs,
    "avx2,aes,vaes",
    4,
    hash_pairs,
    load4,
    store4,
    key2,
    _mm256_unpacklo_epi64,
    _mm256_unpackhi_epi64,
    _mm256_xor_si256,
    _mm256_aesenc_epi128,
    _mm256_aesenclast_epi128
);
block_hash!(
    Single,
    "avx2,aes",
    2,
    hash_single,
    load2,
    store2,
    key1,
    _mm_unpacklo_epi64,
    _mm_unpackhi_epi64,
    _mm_xor_si128,
    _mm_aesenc_si128,
    _mm_aesenclast_si128
);

/// Defines how words and keys become such vectors, and vectors words.
macro_rules! vector {
    ($vector:ty, $features:literal, $words:literal, $load:ident, $store:ident, $key:ident,
     $read:ident, $write:ident, $spread:expr) => {
        #[inline]
        #[target_feature(enable = $features)]
        fn $load(words: &[u64; $words]) -> $vector {
            // SAFETY: the words are readable; the load asks no alignment.
            unsafe { $read(words.as_ptr().cast()) }
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn $store(words: &mut [u64; $words], value: $vector) {
            // SAFETY: the words are writable; the store asks no alignment.
            unsafe { $write(words.as_mut_ptr().cast(), value) }
        }

        #[inline]
        #[target_feature(enable = $features)]
        fn $key(key: &[u8; 16]) -> $vector {
            // SAFETY: 16 readable bytes; the load asks no alignment.
            $spread(unsafe { _mm_loadu_si128(key.as_ptr().cast()) })
        }
    };
}

vector!(
    __m512i,
    "avx512f",
    8,
    load8,
    store8,
    key4,
    _mm512_loadu_si512,
    _mm512_storeu_si512,
    |key| _mm512_broadcast_i32x4(key)
);
vector!(__m256i, "avx2", 4, load4, store4, key2, _mm256_loadu_si256, _mm256_storeu_si256, |key| {
    _mm256_broadcastsi128_si256(key)
});
vector!(
    __m128i,
    "avx2",
    2,
    load2,
    store2,
    key1,
    _mm_loadu_si128,
    _mm_storeu_si128,
    |key: __m128i| key
);
