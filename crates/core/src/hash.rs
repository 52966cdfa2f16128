//! Correlation-robust hashes from AES-128 with a fixed public key, in batches.
//!
//! Source: Guo, Katz, Wang, Yu, "Efficient and Secure Multiparty Computation from Fixed-Key Block
//! Ciphers", IEEE S&P 2020, ePrint 2019/074, §7.3 and §7.4. Proven with AES under the fixed key
//! modelled as a random permutation. Not collision resistant, not a random oracle.

use aes::Aes128Enc;
use aes::cipher::{BlockCipherEncrypt, KeyInit};

/// Blocks hashed together.
const BATCH: usize = 64;

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
