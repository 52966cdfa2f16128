//! The rolling hash of one direction of a conversation: BLAKE3 of all bytes so far.
//!
//! Source: O'Connor, Aumasson, Neves, Wilcox-O'Hearn, "BLAKE3: one function, fast everywhere"
//! (2021), §2.

use zeroize::Zeroizing;

/// Bytes hashed together: they fit the first cache, and fill the lanes of any vector unit.
pub const BLOCK: usize = 1 << 14;

/// BLAKE3 of a stream that arrives in pieces of any size.
pub struct Tally {
    hasher: blake3::Hasher,
    pending: Zeroizing<Vec<u8>>,
}

impl Tally {
    /// The tally of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self { hasher: blake3::Hasher::new(), pending: Zeroizing::new(Vec::with_capacity(BLOCK)) }
    }

    /// Appends `data`. A small piece costs a copy: it waits until a whole block can be hashed.
    pub fn update(&mut self, data: &[u8]) {
        let mut rest = data;
        if !self.pending.is_empty() {
            let (head, tail) = rest.split_at(rest.len().min(BLOCK - self.pending.len()));
            self.pending.extend_from_slice(head);
            rest = tail;
            if self.pending.len() == BLOCK {
                self.hasher.update(&self.pending);
                self.pending.clear();
            }
        }
        let (blocks, tail) = rest.split_at(rest.len() - rest.len() % BLOCK);
        self.hasher.update(blocks);
        self.pending.extend_from_slice(tail);
    }

    /// The hash of all bytes so far.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        self.hasher.clone().update(&self.pending).finalize().into()
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}
