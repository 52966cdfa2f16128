//! What of a processor the kernels of this crate may use: instruction sets, and cores.

use core::num::NonZero;

/// Cores that one kernel uses at most, unless it is told otherwise.
const CORES: usize = 2;

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
    aes: bool,
    ifma: bool,
    vbmi: bool,
    threads: NonZero<usize>,
}

impl Features {
    /// No instruction set beyond what the target guarantees, and one thread.
    pub const PORTABLE: Self = Self {
        avx2: false,
        avx512: false,
        vaes: false,
        aes: false,
        ifma: false,
        vbmi: false,
        threads: NonZero::<usize>::MIN,
    };

    /// What this processor and its operating system offer.
    #[must_use]
    #[cfg(target_arch = "x86_64")]
    pub fn detect() -> Self {
        let avx2 = is_x86_feature_detected!("avx2");
        let avx512 = is_x86_feature_detected!("avx512f");
        let aes = avx2 && is_x86_feature_detected!("aes");
        Self {
            avx2,
            avx512: avx512 && is_x86_feature_detected!("avx512dq"),
            vaes: aes && is_x86_feature_detected!("vaes"),
            aes,
            vbmi: avx512
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vbmi")
                && is_x86_feature_detected!("avx512vbmi2")
                && is_x86_feature_detected!("gfni"),
            ifma: is_x86_feature_detected!("avx512ifma") && is_x86_feature_detected!("avx512vl"),
            threads: cores(),
        }
    }

    /// What this processor and its operating system offer: nothing that this crate uses.
    #[must_use]
    #[cfg(not(target_arch = "x86_64"))]
    pub fn detect() -> Self {
        Self { threads: cores(), ..Self::PORTABLE }
    }

    /// The same without AVX-512, to reach the AVX2 kernels on a processor that has both.
    #[must_use]
    pub fn without_avx512(self) -> Self {
        Self { avx512: false, vbmi: false, ..self }
    }

    /// The same with single blocks where a vector may hold several, to reach the kernels for it.
    #[must_use]
    pub fn without_vaes(self) -> Self {
        Self { vaes: false, ..self }
    }

    /// The same on so many threads, at least one.
    #[must_use]
    pub fn with_threads(self, threads: usize) -> Self {
        Self { threads: NonZero::new(threads).unwrap_or(NonZero::<usize>::MIN), ..self }
    }

    /// The threads that a kernel may use.
    #[must_use]
    pub fn most_threads(self) -> usize {
        self.threads.get()
    }

    /// The threads that a kernel may use for so many elements, each worth one from `least` on.
    pub(crate) fn threads(self, elements: usize, least: usize) -> usize {
        self.threads.get().min(1 + elements / least)
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

    /// Whether AVX-512 F, DQ, BW, VBMI and VBMI2, and GFNI may be used.
    #[must_use]
    pub fn vbmi(self) -> bool {
        self.vbmi
    }

    /// Whether AVX2, AES and VAES may be used.
    #[must_use]
    pub fn vaes(self) -> bool {
        self.vaes
    }

    /// Whether AVX2 and AES may be used.
    #[must_use]
    pub fn aes(self) -> bool {
        self.aes
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

/// The cores of this machine that one kernel uses.
fn cores() -> NonZero<usize> {
    let found = std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    found.min(NonZero::new(CORES).unwrap_or(found))
}
