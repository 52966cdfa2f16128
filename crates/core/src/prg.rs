//! Keystreams: AES-128 in counter mode, many streams under one key, any byte offset.
//!
//! Block j of stream s under key K is AES-128(K, s || j), both as 64-bit little-endian words.
//! Counter mode makes chunks independent: any two ranges may be produced in any order.

use aes::Aes128;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};

use crate::Error;
use crate::keys::StreamKey;

const BLOCK: usize = 16;
/// Blocks filled with counters and encrypted together: small enough to stay in the first cache.
const BATCH: usize = 256;

/// The streams of one key; its round keys are wiped on drop.
pub struct Prg {
    cipher: Aes128,
}

impl Prg {
    /// The streams of `key`.
    #[must_use]
    pub fn new(key: &StreamKey) -> Self {
        Self { cipher: Aes128::new(key.bytes().into()) }
    }

    /// Writes the bytes `offset..offset + out.len()` of `stream` to `out`.
    ///
    /// # Errors
    /// [`Error::StreamEnd`] if the range passes 2^64 bytes; `out` is then untouched.
    pub fn fill(&self, stream: u64, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        offset.checked_add(out.len() as u64).ok_or(Error::StreamEnd)?;
        let skip = (offset % BLOCK as u64) as usize;
        let mut counter = offset / BLOCK as u64;
        let head = if skip == 0 { 0 } else { out.len().min(BLOCK - skip) };
        let (first, rest) = out.split_at_mut(head);
        if head > 0 {
            first.copy_from_slice(&self.block(stream, counter)[skip..skip + head]);
            counter += 1;
        }
        let (blocks, last) = Array::slice_as_chunks_mut(rest);
        for batch in blocks.chunks_mut(BATCH) {
            for block in batch.iter_mut() {
                *block = input(stream, counter);
                counter += 1;
            }
            self.cipher.encrypt_blocks(batch);
        }
        let length = last.len();
        if length > 0 {
            last.copy_from_slice(&self.block(stream, counter)[..length]);
        }
        Ok(())
    }

    fn block(&self, stream: u64, counter: u64) -> aes::Block {
        let mut block = input(stream, counter);
        self.cipher.encrypt_block(&mut block);
        block
    }
}

fn input(stream: u64, counter: u64) -> aes::Block {
    (u128::from(stream) | u128::from(counter) << 64).to_le_bytes().into()
}
