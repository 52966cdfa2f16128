//! Ring words, packed bits and keystreams against slow references.

mod common;

use common::{array, bytes, every_path, refusal, vectors, words};
use moiety_core::hash::FixedKeyHash;
use moiety_core::keys::StreamKey;
use moiety_core::prg::Prg;
use moiety_core::ring::{Shape, matmul, matmul_transposed};
use moiety_core::{Error, Features, bits};

fn pack(words: &[u64], bits: u32) -> Result<Vec<u8>, Error> {
    let mut out = vec![0xaa; bits::packed_len(words.len(), bits)?];
    bits::pack(words, bits, &mut out, Features::PORTABLE).map(|()| out)
}

fn unpack(data: &[u8], n: usize, bits: u32) -> Result<Vec<u64>, Error> {
    bits::check(bits, n, data)?;
    let mut words = vec![0; n];
    bits::unpack(data, bits, &mut words, Features::PORTABLE).map(|()| words)
}

fn slow_product(a: &[u64], b: &[u64], Shape { m, k, n }: Shape) -> Vec<u64> {
    let entry = |i: usize, j: usize| {
        (0..k).fold(0u64, |sum, p| sum.wrapping_add(a[i * k + p].wrapping_mul(b[p * n + j])))
    };
    (0..m * n).map(|at| entry(at / n, at % n)).collect()
}

#[test]
fn product_is_the_product_on_every_path() {
    let sides = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 50];
    let mut shapes = vec![(7, 193, 9), (13, 400, 521), (1, 1000, 5), (2000, 3, 1), (301, 70, 66)];
    for m in sides {
        for k in sides {
            shapes.extend(sides.map(|n| (m, k, n)));
        }
    }
    for (m, k, n) in shapes {
        let shape = Shape { m, k, n };
        let (a, b) = (words(1, m * k), words(2, k * n));
        let expected = slow_product(&a, &b, shape);
        let turned: Vec<u64> = (0..m * k).map(|at| a[at % m * k + at / m]).collect();
        for features in every_path() {
            for threads in [0, 1, 2, 5] {
                let mut out = vec![77; m * n];
                matmul(&a, &b, &mut out, shape, threads, features).expect("lengths fit");
                assert!(out == expected, "{shape:?}, {features:?}, {threads} threads");
                out.fill(77);
                matmul_transposed(&turned, &b, &mut out, shape, threads, features)
                    .expect("lengths fit");
                assert!(out == expected, "{shape:?} transposed, {features:?}, {threads} threads");
            }
        }
    }
}

#[test]
fn product_refuses_lengths_that_do_not_fit() {
    let shape = Shape { m: 2, k: 3, n: 4 };
    for (a, b, out) in [(5, 12, 8), (6, 13, 8), (6, 12, 7)] {
        let result =
            matmul(&vec![0; a], &vec![0; b], &mut vec![0; out], shape, 1, Features::PORTABLE);
        assert!(matches!(refusal(result), Error::Length(..)));
    }
    let huge = Shape { m: usize::MAX, k: 2, n: 1 };
    assert!(matmul(&[], &[0, 0], &mut [], huge, 1, Features::PORTABLE).is_err());
}

/// Bit by bit.
fn slow_pack(words: &[u64], bits: u32) -> Vec<u8> {
    let mut out = vec![0; bits::packed_len(words.len(), bits).expect("a width in range")];
    for at in 0..words.len() * bits as usize {
        let bit = words[at / bits as usize] >> (at % bits as usize) & 1;
        out[at / 8] |= u8::from(bit == 1) << (at % 8);
    }
    out
}

#[test]
fn packing_is_bit_by_bit_packing_and_back() {
    for bits in 1..=64 {
        for n in [0, 1, 2, 7, 8, 9, 63, 64, 65, 130, 1000] {
            let words = words(u64::from(bits), n);
            let packed = pack(&words, bits).expect("a width in range");
            assert_eq!(packed, slow_pack(&words, bits), "{n} words of {bits} bits");
            for features in every_path() {
                let (mut out, mut back) = (vec![0xaa; packed.len()], vec![7; n]);
                bits::pack(&words, bits, &mut out, features).expect("a width in range");
                assert_eq!(out, packed, "{n} words of {bits} bits, {features:?}");
                bits::unpack(&out, bits, &mut back, features).expect("what was packed");
                assert_eq!(Ok(back), unpack(&packed, n, bits), "{bits} bits, {features:?}");
            }
            let kept: Vec<u64> =
                words.iter().map(|word| word & (u64::MAX >> (64 - bits))).collect();
            assert_eq!(unpack(&packed, n, bits), Ok(kept));
        }
    }
}

#[test]
fn unpacking_is_strict() {
    assert_eq!(unpack(&[0b0000_0111], 1, 3), Ok(vec![7]));
    assert_eq!(unpack(&[0b0000_1111], 1, 3), Err(Error::TrailingBits));
    assert_eq!(unpack(&[0; 4], 3, 8), Err(Error::Length("packed words", 3, 4)));
    assert_eq!(unpack(&[1], 0, 8), Err(Error::Length("packed words", 0, 1)));
    for bits in [0, 65, u32::MAX] {
        assert_eq!(unpack(&[], 0, bits), Err(Error::Bits(bits)));
        assert_eq!(pack(&[], bits), Err(Error::Bits(bits)));
    }
    assert!(unpack(&[], usize::MAX, 64).is_err());
    let short = bits::pack(&[1, 2], 9, &mut [0; 2], Features::PORTABLE);
    assert_eq!(short, Err(Error::Length("packed words", 3, 2)));
    for n in 1..20 {
        let mut packed = pack(&vec![0; n], 13).expect("a width in range");
        let spare = 8 * packed.len() - 13 * n;
        for bit in 0..spare {
            *packed.last_mut().expect("not empty") = 0x80 >> bit;
            assert_eq!(unpack(&packed, n, 13), Err(Error::TrailingBits), "{n}, {bit}");
        }
    }
}

#[test]
fn streams_are_frozen() {
    for field in vectors(include_str!("../../../tests/vectors/core/stream.txt")) {
        let expected = bytes(field[3]);
        for features in every_path() {
            let prg = Prg::new(&StreamKey::new(&array(field[0])), features);
            let mut out = vec![0; expected.len()];
            let (stream, offset) = (field[1].parse().expect("u64"), field[2].parse().expect("u64"));
            prg.fill(stream, offset, &mut out).expect("a range within the stream");
            assert_eq!(out, expected, "{field:?}, {features:?}");
        }
    }
}

#[test]
fn any_range_of_a_stream_is_that_range() {
    let prg = Prg::new(&StreamKey::new(&[5; 16]), Features::detect());
    let portable = Prg::new(&StreamKey::new(&[5; 16]), Features::PORTABLE);
    let mut whole = vec![0; 5000];
    portable.fill(3, 0, &mut whole).expect("a short stream");
    for start in (0..40).chain([255, 256, 257, 4090]) {
        for length in (0..40).chain([255, 256, 257, 500, 900]) {
            let mut part = vec![0; length];
            prg.fill(3, start as u64, &mut part).expect("a short stream");
            assert_eq!(part, whole[start..start + length], "{length} bytes from {start}");
        }
    }
    let mut out = [9; 17];
    assert_eq!(prg.fill(0, u64::MAX - 15, &mut out), Err(Error::StreamEnd));
    assert_eq!(out, [9; 17]);
}

#[test]
fn hashes_are_frozen() {
    for field in vectors(include_str!("../../../tests/vectors/core/hash.txt")) {
        let number = |at: usize| u128::from_str_radix(field[at], 16).expect("hex digits");
        let hash = FixedKeyHash::new(&array(field[1]));
        let mut block = [number(3)];
        match field[0] {
            "circular" => hash.circular(&mut block),
            _ => hash.tweaked(&mut block, number(2)),
        }
        assert_eq!(block, [number(4)], "{field:?}");
    }
}

#[test]
fn a_batch_of_hashes_is_each_hash() {
    let hash = FixedKeyHash::new(&[8; 16]);
    let inputs: Vec<u128> = words(4, 200).iter().map(|&word| u128::from(word) << 7).collect();
    let (mut circular, mut tweaked) = (inputs.clone(), inputs.clone());
    hash.circular(&mut circular);
    hash.tweaked(&mut tweaked, u128::MAX - 9);
    for (j, &input) in inputs.iter().enumerate() {
        let (mut one, mut other) = ([input], [input]);
        hash.circular(&mut one);
        hash.tweaked(&mut other, (u128::MAX - 9).wrapping_add(j as u128));
        assert_eq!((one[0], other[0]), (circular[j], tweaked[j]), "block {j}");
    }
}
