//! The rolling hash against known answers, whatever pieces the bytes come in.

mod common;

use common::{array, vectors};
use moiety_core::tally::{BLOCK, Tally};

#[expect(clippy::cast_possible_truncation, reason = "a remainder of 251")]
fn input(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

fn hash(data: &[u8], pieces: impl Iterator<Item = usize>) -> [u8; 32] {
    let (mut tally, mut rest) = (Tally::new(), data);
    for piece in pieces {
        let (head, tail) = rest.split_at(piece.min(rest.len()));
        tally.update(head);
        rest = tail;
        if rest.is_empty() {
            break;
        }
    }
    tally.hash()
}

#[test]
fn tallies_are_blake3() {
    for fields in vectors(include_str!("../../../tests/vectors/core/blake3.txt")) {
        let [length, expected] = fields[..] else { panic!("two fields") };
        let data = input(length.parse().expect("a length"));
        assert_eq!(hash(&data, [usize::MAX].into_iter()), array(expected), "{length} bytes");
    }
}

#[test]
fn pieces_do_not_matter() {
    let data = input(5 * BLOCK + 77);
    let whole = hash(&data, [usize::MAX].into_iter());
    for size in [1, 16, 1024, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 5] {
        assert_eq!(hash(&data, std::iter::repeat(size)), whole, "pieces of {size}");
        let mixed = std::iter::repeat([16, size]).flatten();
        assert_eq!(hash(&data, mixed), whole, "headers and pieces of {size}");
    }
}

#[test]
fn a_hash_may_be_taken_at_any_time() {
    let data = input(3 * BLOCK);
    let mut tally = Tally::new();
    for piece in data.chunks(999) {
        tally.update(piece);
        let _ = tally.hash();
    }
    assert_eq!(tally.hash(), hash(&data, [usize::MAX].into_iter()));
}
