//! Correlation-robust hashes from AES-128 with a fixed public key, in batches.
//!
//! Source: Guo, Katz, Wang, Yu, "Efficient and Secure Multiparty Computation from Fixed-Key Block
//! Ciphers", IEEE S&P 2020, ePrint 2019/074, §7.3 and §7.4. Proven with AES under the fixed key
//! modelled as a random permutation. Not collision resistant, not a random oracle.

#![expect(clippy::inline_always, reason = "each instruction set compiles its own copy")]

use aes::Aes128Enc;
use aes::cipher::{BlockCipherEncrypt, KeyInit};

/// Blocks hashed together.
const BATCH: usize = 64;
/// Blocks that [`BlockHash`] hashes at a time.
pub(crate) const LANES: usize = 8;

/// The circular hash of [`LANES`] blocks whose low and high words lie apart.
pub(crate) trait BlockHash: Copy {
    /// Replaces each block by its hash.
    fn hash(self, low: &mut [u64; LANES], high: &mut [u64; LANES]);

    /// Adds each value to its word where the bit of that number is 1.
    #[inline(always)]
    fn add_where(self, bits: u64, words: &mut [u64; LANES], values: &[u64; LANES]) {
        let gates: [u64; LANES] = core::array::from_fn(|i| (bits >> i & 1).wrapping_neg());
        for (word, (value, gate)) in words.iter_mut().zip(values.iter().zip(gates)) {
            *word ^= value & gate;
        }
    }

    /// The lowest bits of the words as one number; they are then 0.
    #[inline(always)]
    fn take_lowest(self, words: &mut [u64; LANES]) -> u64 {
        let bits: [u64; LANES] = core::array::from_fn(|i| (words[i] & 1) << i);
        for word in words {
            *word &= !1;
        }
        bits.into_iter().fold(0, |all, bit| all | bit)
    }
}

/// Something that hashes; it is compiled again for each instruction set where it is inlined.
pub(crate) trait Job {
    /// What it gives.
    type Output;

    /// Does it with this hash.
    fn run<H: BlockHash>(self, hash: H) -> Self::Output;
}

impl BlockHash for &FixedKeyHash {
    fn hash(self, low: &mut [u64; LANES], high: &mut [u64; LANES]) {
        let block = |at: usize| u128::from(low[at]) | u128::from(high[at]) << 64;
        let mut blocks: [u128; LANES] = core::array::from_fn(block);
        self.circular(&mut blocks);
        for (block, (low, high)) in blocks.into_iter().zip(low.iter_mut().zip(high)) {
            let words = block.to_le_bytes();
            let (words, _) = words.as_chunks();
            (*low, *high) = (u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1]));
        }
    }
}

/// A fixed-key hash of 128-bit blocks.
pub struct FixedKeyHash {
    cipher: Aes128Enc,
}

impl FixedKeyHash {
    /// The hash under a public `key`, chosen without regard to any input.
    #[must_use]
    pub fn new(key: &[u8; 16]) -> Self {
        Self { cipher: Aes128Enc::new(key.into()) }
    }

    /// Replaces each block x by π(σ(x)) ⊕ σ(x): circular correlation robust (§7.3).
    ///
    /// σ(L ‖ R) = (L ⊕ R) ‖ L, L the high half. No tweak: inputs under one correlation must differ.
    pub fn circular(&self, blocks: &mut [u128]) {
        for block in blocks.iter_mut() {
            *block = sigma(*block);
        }
        self.each(blocks, |_, x| x, |x, y| x ^ y);
    }

    /// Replaces block j, x, by π(π(x) ⊕ i) ⊕ π(x) with i = `first` + j mod 2^128: tweakable circular
    /// correlation robust (§7.4), also where x repeats under another i.
    ///
    /// One permutation is not enough: π(σ(x) ⊕ i) ⊕ σ(x) ⊕ i gives equal outputs for (x, i) and
    /// (x', i') whenever σ(x) ⊕ i = σ(x') ⊕ i'.
    pub fn tweaked(&self, blocks: &mut [u128], first: u128) {
        self.each(blocks, |_, x| x, |_, y| y);
        self.each(blocks, |j, x| x ^ first.wrapping_add(j), |x, y| x ^ y);
    }

    /// Replaces block j, x, by `after(x, π(before(j, x)))`.
    fn each(
        &self,
        blocks: &mut [u128],
        before: impl Fn(u128, u128) -> u128,
        after: impl Fn(u128, u128) -> u128,
    ) {
        let mut j = 0;
        let mut buffer = [aes::Block::default(); BATCH];
        for batch in blocks.chunks_mut(BATCH) {
            let buffer = &mut buffer[..batch.len()];
            for (slot, &x) in buffer.iter_mut().zip(batch.iter()) {
                *slot = before(j, x).to_le_bytes().into();
                j += 1;
            }
            self.cipher.encrypt_blocks(buffer);
            for (x, slot) in batch.iter_mut().zip(buffer.iter()) {
                *x = after(*x, u128::from_le_bytes((*slot).into()));
            }
        }
    }
}

fn sigma(x: u128) -> u128 {
    let (high, low) = (x >> 64, x & u128::from(u64::MAX));
    (high ^ low) << 64 | high
}
