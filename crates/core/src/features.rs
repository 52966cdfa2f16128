//! Which instruction sets the kernels of this crate may use.

/// A capability: the only ways to get one are to ask the processor, or to claim less than it says.
///
/// A kernel that needs an instruction set takes this as its proof that the set is present. The
/// crates below choose their own: `aes` and `curve25519-dalek` ask the processor themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one flag for each instruction set")]
pub struct Features {
    avx2: bool,
    avx512: bool,
    vaes: bool,
    ifma: bool,
    gfni: bool,
}

impl Features {
    /// No instruction set beyond what the target guarantees.
    pub const PORTABLE: Self =
        Self { avx2: false, avx512: false, vaes: false, ifma: false, gfni: false };

    /// What this processor and its operating system offer.
    #[must_use]
    #[cfg(target_arch = "x86_64")]
    pub fn detect() -> Self {
        let avx2 = is_x86_feature_detected!("avx2");
        let avx512 = is_x86_feature_detected!("avx512f");
        Self {
            avx2,
            avx512: avx512 && is_x86_feature_detected!("avx512dq"),
            vaes: avx2 && is_x86_feature_detected!("aes") && is_x86_feature_detected!("vaes"),
            gfni: avx512
                && is_x86_feature_detected!("avx512vbmi")
                && is_x86_feature_detected!("gfni"),
            ifma: is_x86_feature_detected!("avx512ifma") && is_x86_feature_detected!("avx512vl"),
        }
    }

    /// What this processor and its operating system offer: nothing that this crate uses.
    #[must_use]
    #[cfg(not(target_arch = "x86_64"))]
    pub fn detect() -> Self {
        Self::PORTABLE
    }

    /// The same without AVX-512, to reach the AVX2 kernels on a processor that has both.
    #[must_use]
    pub fn without_avx512(self) -> Self {
        Self { avx512: false, gfni: false, ..self }
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

    /// Whether AVX-512 F, DQ and VBMI, and GFNI may be used.
    #[must_use]
    pub fn gfni(self) -> bool {
        self.gfni
    }

    /// Whether AVX2, AES and VAES may be used.
    #[must_use]
    pub fn vaes(self) -> bool {
        self.vaes
    }

    /// The code path of each kernel by name. `curve` is what curve25519-dalek finds by the same
    /// questions; it does so whatever this value says.
    #[must_use]
    pub fn paths(self) -> [(&'static str, &'static str); 3] {
        let found = Self::detect();
        let matmul = match self {
            Self { avx512: true, .. } => "avx512",
            Self { avx2: true, .. } => "avx2",
            _ => "portable",
        };
        let curve = match found {
            Self { ifma: true, .. } if cfg!(curve25519_dalek_backend = "avx512") => "avx512ifma",
            Self { avx2: true, .. } => "avx2",
            _ => "portable",
        };
        let stream = if self.vaes { "vaes" } else { "crate aes" };
        [("matmul", matmul), ("stream", stream), ("curve", curve)]
    }
}
