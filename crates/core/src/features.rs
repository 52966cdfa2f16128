//! Which instruction sets the kernels of this crate may use.

/// A capability: the only ways to get one are to ask the processor, or to claim nothing.
///
/// A kernel that needs an instruction set takes this as its proof that the set is present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features {
    avx2: bool,
    avx512: bool,
}

impl Features {
    /// No instruction set beyond what the target guarantees.
    pub const PORTABLE: Self = Self { avx2: false, avx512: false };

    /// What this processor and its operating system offer.
    #[must_use]
    #[cfg(target_arch = "x86_64")]
    pub fn detect() -> Self {
        Self {
            avx2: is_x86_feature_detected!("avx2"),
            avx512: is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq"),
        }
    }

    /// What this processor and its operating system offer: nothing that this crate uses.
    #[must_use]
    #[cfg(not(target_arch = "x86_64"))]
    pub fn detect() -> Self {
        Self::PORTABLE
    }

    /// The same without AVX-512.
    #[must_use]
    pub fn without_avx512(self) -> Self {
        Self { avx512: false, ..self }
    }

    /// Whether AVX2 may be used.
    #[must_use]
    pub fn avx2(self) -> bool {
        self.avx2
    }

    /// Whether AVX-512 F and DQ may be used.
    #[must_use]
    pub fn avx512(self) -> bool {
        self.avx512
    }
}
