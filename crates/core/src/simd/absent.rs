//! Processors for which this crate has no inner loops of its own.

use crate::Features;
use crate::planes;
use crate::ring::Kernels;

pub(crate) fn kernels(_: Features) -> Kernels {
    Kernels::PORTABLE
}

pub(crate) fn plane_kernels(_: Features) -> planes::Kernels {
    planes::Kernels::PORTABLE
}

pub(crate) fn widest<R>(_: Features, work: impl FnOnce() -> R) -> R {
    work()
}

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
