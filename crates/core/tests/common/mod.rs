//! What several test files share.
#![allow(dead_code, reason = "each test file uses some of it")]

use moiety_core::dealt::{Dealt, Origin};
use moiety_core::keys::StreamKey;
use moiety_core::prg::Prg;
use moiety_core::{Error, Features, bits};

/// The fields of each line of a vector file, comments left out.
pub(crate) fn vectors(file: &str) -> impl Iterator<Item = Vec<&str>> {
    file.lines().filter(|line| !line.starts_with('#')).map(|line| line.split_whitespace().collect())
}

pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "{hex}");
    let byte = |i| u8::from_str_radix(&hex[i..i + 2], 16).expect("hex digits");
    (0..hex.len()).step_by(2).map(byte).collect()
}

pub(crate) fn array<const N: usize>(hex: &str) -> [u8; N] {
    bytes(hex).try_into().expect("a vector's field has the field's length")
}

/// Words that differ between seeds and are the same on each run.
pub(crate) fn words(seed: u64, n: usize) -> Vec<u64> {
    let mut out = vec![0; n * 8];
    let prg = Prg::new(&StreamKey::new(&[3; 16]), Features::PORTABLE);
    prg.fill(seed, 0, &mut out).expect("a short stream");
    out.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect()
}

pub(crate) fn every_path() -> [Features; 5] {
    let found = Features::detect();
    [
        Features::PORTABLE.with_threads(3),
        found.without_avx512().without_vaes().with_threads(1),
        found.without_avx512().with_threads(2),
        found.with_threads(1),
        found.with_threads(5),
    ]
}

/// The bytes of `run` on each path, which must agree.
pub(crate) fn agree(run: impl Fn(Features) -> Vec<u8>) {
    let expected = run(Features::PORTABLE);
    assert!(expected.iter().any(|&byte| byte != 0));
    for features in every_path() {
        assert!(run(features) == expected, "{features:?}");
    }
}

/// A part whose fields of so many bits are all drawn, by a key of its own.
pub(crate) fn drawn(key: u8, fields: &[usize], features: Features) -> Dealt<Vec<u8>> {
    let key = StreamKey::new(&[key; 16]);
    let origin = Origin { key: &key, stream: 7, offset: 11 };
    let drawn: Vec<_> = fields.iter().map(|&bits| (bits, false)).collect();
    Dealt::new(origin, &drawn, (Vec::new(), 0), features).expect("a short stream")
}

pub(crate) fn bytes_of(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A message of words.
pub(crate) fn message(seed: u64, count: usize, bits: u32) -> Vec<u8> {
    let mut out = vec![0; bits::packed_len(count, bits).expect("a fit")];
    bits::pack(&words(seed, count), bits, &mut out, Features::PORTABLE).expect("a fit");
    out
}

pub(crate) fn refusal<T>(result: Result<T, Error>) -> Error {
    result.err().expect("a refusal")
}
