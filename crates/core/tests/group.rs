//! ristretto255 against the vectors of RFC 9496, RFC 9380 and RFC 9497.

mod common;

use common::{array, bytes, refusal, vectors};
use curve25519_dalek::RistrettoPoint;
use moiety_core::Error;
use moiety_core::curve::{self, Point, Tag, expand_message_xmd};
use moiety_core::keys::{SecretScalar, StreamKey};

const RISTRETTO: &str = include_str!("../../../tests/vectors/core/ristretto255.txt");
const EXPAND: &str = include_str!("../../../tests/vectors/core/expand_message_xmd.txt");
const OPRF: &str = include_str!("../../../tests/vectors/core/oprf.txt");

fn scalar(bytes: [u8; 32]) -> SecretScalar {
    let mut wide = [0; 64];
    wide[..32].copy_from_slice(&bytes);
    SecretScalar::from_uniform(&wide).expect("not zero")
}

fn small(value: u8) -> SecretScalar {
    let mut bytes = [0; 32];
    bytes[0] = value;
    scalar(bytes)
}

fn of_kind(kind: &str) -> impl Iterator<Item = Vec<&str>> {
    vectors(RISTRETTO).filter(move |field| field[0] == kind)
}

/// RFC 9496 A.1: k · B for the generator B, and each encoding decodes and encodes to itself.
#[test]
fn multiples_of_the_generator() {
    let multiples: Vec<Point> = of_kind("multiple").map(|field| array(field[1])).collect();
    assert_eq!(multiples.len(), 16);
    for (k, expected) in (0u8..).zip(&multiples).skip(1) {
        assert_eq!(curve::evaluate(&small(k), &multiples[1..2], 1), Ok(vec![*expected]), "{k}");
    }
    assert_eq!(curve::evaluate(&small(1), &multiples[1..], 2).as_deref(), Ok(&multiples[1..]));
}

/// RFC 9496 A.2, and the identity: refused, by the index of the first bad point.
#[test]
fn bad_encodings_are_refused() {
    let mut bad: Vec<Point> = of_kind("bad").map(|field| array(field[1])).collect();
    assert_eq!(bad.len(), 29);
    bad.push([0; 32]);
    let good: Point = array(of_kind("multiple").nth(1).expect("the generator")[1]);
    for point in bad {
        assert_eq!(curve::evaluate(&small(5), &[point], 1), Err(Error::Point(0)), "{point:02x?}");
    }
    for (at, also) in [(600, 600), (600, 599), (20, 600), (0, 699)] {
        let mut points = vec![good; 700];
        (points[at], points[also]) = ([0; 32], [0; 32]);
        for threads in [1, 3] {
            let first = Error::Point(at.min(also));
            assert_eq!(curve::evaluate(&small(5), &points, threads), Err(first), "{threads}");
        }
    }
}

/// RFC 9496 A.3: the one-way map.
#[test]
fn elements_from_uniform_bytes() {
    assert_eq!(of_kind("uniform").count(), 11);
    for field in of_kind("uniform") {
        let element = RistrettoPoint::from_uniform_bytes(&array(field[1]));
        assert_eq!(element.compress().to_bytes(), array::<32>(field[2]));
    }
}

/// RFC 9380 K.3.
#[test]
fn expanded_messages() {
    let tag = Tag::new(b"QUUX-V01-CS02-with-expander-SHA512-256");
    for field in vectors(EXPAND) {
        let message = if field[0] == "-" { Vec::new() } else { bytes(field[0]) };
        let expected = bytes(field[1]);
        let mut out = vec![0; expected.len()];
        expand_message_xmd(&message, &tag, &mut out).expect("a length in range");
        assert_eq!(out, expected);
    }
    for length in [0, 255 * 64 + 1, 1 << 16] {
        let result = expand_message_xmd(b"", &tag, &mut vec![0; length]);
        assert_eq!(refusal(result), Error::Expand(length));
    }
    expand_message_xmd(b"", &tag, &mut vec![0; 255 * 64]).expect("the longest");
}

/// RFC 9380 §5.3.3: a tag above 255 bytes is the tag's hash.
#[test]
fn oversize_tags_are_hashed() {
    use sha2::{Digest, Sha512};
    let long = [b'x'; 256];
    let hashed = Sha512::digest([b"H2C-OVERSIZE-DST-".as_slice(), &long].concat());
    let (mut out, mut expected) = ([0; 64], [0; 64]);
    expand_message_xmd(b"m", &Tag::new(&long), &mut out).expect("a length in range");
    expand_message_xmd(b"m", &Tag::new(&hashed), &mut expected).expect("a length in range");
    assert_eq!(out, expected);
    expand_message_xmd(b"m", &Tag::new(&long[..255]), &mut expected).expect("a length in range");
    assert_ne!(out, expected);
}

/// RFC 9497 A.1.1.
#[test]
fn oprf_blinding_and_evaluation() {
    let tag = Tag::hash_to_group(b"OPRFV1-\x00-ristretto255-SHA512");
    for field in vectors(OPRF) {
        let blinded = curve::blind(&scalar(array(field[2])), &[bytes(field[1])], &tag, 1);
        assert_eq!(blinded, [array::<32>(field[3])]);
        let evaluated = curve::evaluate(&scalar(array(field[0])), &blinded, 1);
        assert_eq!(evaluated, Ok(vec![array::<32>(field[4])]));
    }
}

#[test]
fn keys_commute_and_domains_separate() {
    let items: Vec<String> = (0..600).map(|i| format!("person {i}")).collect();
    let tag = Tag::psi(b"job");
    let (a, b) = (scalar([0x21; 32]), scalar([0x43; 32]));
    let ab = curve::evaluate(&b, &curve::blind(&a, &items, &tag, 1), 1);
    let ba = curve::evaluate(&a, &curve::blind(&b, &items, &tag, 2), 3);
    assert_eq!(ab, ba);
    assert_ne!(
        curve::blind(&a, &items[..1], &tag, 1),
        curve::blind(&a, &items[..1], &Tag::psi(b"another"), 1)
    );
    assert!(curve::blind(&a, &items[..0], &tag, 1).is_empty());
    assert_eq!(curve::evaluate(&a, &[], 2), Ok(Vec::new()));
}

#[test]
fn secrets_compare_and_hide() {
    assert_eq!(refusal(SecretScalar::from_uniform(&[0; 64])), Error::ZeroScalar);
    assert!(small(3) == small(3) && small(3) != small(4));
    assert!(StreamKey::new(&[1; 16]) == StreamKey::new(&[1; 16]));
    assert!(StreamKey::new(&[1; 16]) != StreamKey::new(&[2; 16]));
    assert_eq!(format!("{:?}", small(3)), "SecretScalar(hidden)");
    assert_eq!(format!("{:?}", StreamKey::new(&[1; 16])), "StreamKey(hidden)");
}
