//! What the C library does with memory that is freed.

use pyo3::prelude::*;

#[pyfunction]
pub(crate) fn keep_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    keep();
}

/// Large blocks come from the heap, not from mappings of their own, and its end is not given back.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "a call of the C library")]
fn keep() {
    const TRIM_THRESHOLD: i32 = -1;
    const TOP_PAD: i32 = -2;
    const MMAP_MAX: i32 = -4;

    unsafe extern "C" {
        fn mallopt(parameter: i32, value: i32) -> i32;
    }
    for (parameter, value) in [(MMAP_MAX, 0), (TRIM_THRESHOLD, 1 << 30), (TOP_PAD, 1 << 26)] {
        // SAFETY: takes two numbers, at any time; what it does not know it refuses.
        unsafe { mallopt(parameter, value) };
    }
}
