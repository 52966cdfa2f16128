//! Processors for which this crate has no inner loops of its own.

use crate::Features;
use crate::hash::{FixedKeyHash, Job};
use crate::planes;
use crate::ring::Kernels;
use crate::simd::Work;

pub(crate) fn kernels(_: Features) -> Kernels {
    Kernels::PORTABLE
}

pub(crate) fn plane_kernels(_: Features) -> planes::Kernels {
    planes::Kernels::PORTABLE
}

pub(crate) fn widest<W: Work>(_: Features, work: W) -> W::Output {
    work.run()
}

pub(crate) fn pack(_: &[u64], _: u32, _: &mut [u8], _: Features) -> usize {
    0
}

pub(crate) fn unpack(_: &[u8], _: u32, _: &mut [u64], _: Features) -> usize {
    0
}

pub(crate) fn spread(_: &[u64], _: &mut [u8], _: Features) -> usize {
    0
}

pub(crate) fn gather(_: &[u8], _: &mut [u64], _: Features) -> usize {
    0
}

pub(crate) fn prefetch(_: &[u8]) {}

/// Never exists.
pub(crate) enum WideAes {}

impl WideAes {
    pub(crate) const CHUNK: usize = 256;

    pub(crate) fn new(_: &[u8; 16], _: Features) -> Option<Self> {
        None
    }

    pub(crate) fn fill(&self, _: u64, _: u64, _: &mut [[u8; Self::CHUNK]]) {
        match *self {}
    }
}

/// A fixed key.
pub(crate) struct FixedKey(FixedKeyHash);

impl FixedKey {
    pub(crate) fn new(key: &[u8; 16], _: Features) -> Self {
        Self(FixedKeyHash::new(key))
    }

    pub(crate) fn run<J: Job>(&self, job: J) -> J::Output {
        job.run(&self.0)
    }
}
