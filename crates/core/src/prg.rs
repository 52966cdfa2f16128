//! Keystreams: AES-128 in counter mode, many streams under one key, any byte offset.
//!
//! Block j of stream s under key K is AES-128(K, s || j), both as 64-bit little-endian words.
//! Distinct (stream, block) pairs are distinct inputs, so streams never overlap, and chunks of one
//! stream may be produced in any order. As a permutation repeats no block, 2^32 blocks (64 GiB) of
//! one key differ from random with advantage at most 2^-65.

use aes::Aes128Enc;
use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};

use crate::keys::StreamKey;
use crate::simd::WideAes;
use crate::{Error, Features};

const BLOCK: usize = 16;
/// Blocks filled with counters and encrypted together: they stay in the first cache.
const BATCH: usize = 256;

/// The streams of one key; its round keys are wiped on drop.
pub struct Prg {
    cipher: Aes128Enc,
    wide: Option<WideAes>,
}

impl Prg {
    /// The streams of `key`.
    #[must_use]
    pub fn new(key: &StreamKey, features: Features) -> Self {
        Self {
            cipher: Aes128Enc::new(key.bytes().into()),
            wide: WideAes::new(key.bytes(), features),
        }
    }

    /// Writes the bytes `offset..offset + out.len()` of `stream` to `out`.
    ///
    /// # Errors
    /// [`Error::StreamEnd`] if the range passes 2^64 bytes; `out` is then untouched.
    pub fn fill(&self, stream: u64, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        let length = u64::try_from(out.len()).map_err(|_| Error::StreamEnd)?;
        offset.checked_add(length).ok_or(Error::StreamEnd)?;
        self.produce(stream, offset, out);
        Ok(())
    }

    /// [`Prg::fill`] for a range within the stream.
    pub(crate) fn produce(&self, stream: u64, offset: u64, out: &mut [u8]) {
        let (counter, skip) = (offset / 16, usize::from(offset.to_le_bytes()[0] % 16));
        if skip == 0 {
            return self.blocks(stream, counter, out);
        }
        let (head, rest) = out.split_at_mut(out.len().min(BLOCK - skip));
        let block = self.block(stream, counter);
        head.copy_from_slice(&block[skip..skip + head.len()]);
        self.blocks(stream, counter + 1, rest);
    }

    /// Writes blocks from number `counter` on, the last of them cut short.
    fn blocks(&self, stream: u64, mut counter: u64, mut out: &mut [u8]) {
        if let Some(wide) = &self.wide {
            let (chunks, rest) = out.as_chunks_mut::<{ WideAes::CHUNK }>();
            wide.fill(stream, counter, chunks);
            counter += (chunks.len() * WideAes::CHUNK / BLOCK) as u64;
            out = rest;
            if out.len() > BLOCK {
                let mut last = [[0; WideAes::CHUNK]];
                wide.fill(stream, counter, &mut last);
                out.copy_from_slice(&last[0][..out.len()]);
                return;
            }
        }
        let (blocks, last) = Array::slice_as_chunks_mut(out);
        for batch in blocks.chunks_mut(BATCH) {
            for block in batch.iter_mut() {
                *block = input(stream, counter);
                counter += 1;
            }
            self.cipher.encrypt_blocks(batch);
        }
        if !last.is_empty() {
            last.copy_from_slice(&self.block(stream, counter)[..last.len()]);
        }
    }

    /// Writes the block of each byte of the stream, and the one after it, 32 bytes in all.
    pub(crate) fn pairs(&self, stream: u64, bytes: impl Iterator<Item = u64>, out: &mut [u8]) {
        let (blocks, _) = Array::slice_as_chunks_mut(out);
        for (pair, byte) in blocks.chunks_exact_mut(2).zip(bytes) {
            pair[0] = input(stream, byte / 16);
            pair[1] = input(stream, byte / 16 + 1);
        }
        self.cipher.encrypt_blocks(blocks);
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

#[cfg(test)]
mod tests {
    use super::*;

    const VECTORS: &str = include_str!("../../../tests/vectors/core/aes128.txt");

    fn words<const N: usize>(hex: &str) -> [u8; N] {
        let byte = |i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hex");
        core::array::from_fn(byte)
    }

    /// The published blocks come out of every path, wherever the block lies in the output.
    #[test]
    fn published_blocks() {
        for line in VECTORS.lines().filter(|line| !line.starts_with('#')) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (key, input): ([u8; 16], [u8; 16]) = (words(fields[0]), words(fields[1]));
            let (stream, counter) = input.split_at(8);
            let stream = u64::from_le_bytes(stream.try_into().expect("8 bytes"));
            let counter = u64::from_le_bytes(counter.try_into().expect("8 bytes"));
            for features in [Features::PORTABLE, Features::detect()] {
                let prg = Prg::new(&StreamKey::new(&key), features);
                for length in [16, 48, 256, 1024] {
                    let mut out = vec![0; length];
                    prg.blocks(stream, counter, &mut out);
                    assert_eq!(out[..16], words::<16>(fields[2]), "{features:?}, {length}");
                }
            }
        }
    }
}
