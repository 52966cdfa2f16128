//! Kernels in constant flow: the same on each path, and right for every size.

mod common;

use common::{agree, refusal, words};
use moiety_core::flow::Table;
use moiety_core::flow::grow::{Growth, grow};
use moiety_core::flow::join::{Side, join};
use moiety_core::flow::score::score;
use moiety_core::{Error, Features};

const COUNTS: [usize; 3] = [9, 4, 30];
const MISSING: [bool; 3] = [false, true, false];
const GROWTH: Growth = Growth { trees: 4, depth: 3, rate: 0.3, least: 5 };

#[expect(clippy::cast_possible_truncation, reason = "remainders of a byte")]
fn codes(rows: usize) -> Vec<u8> {
    let columns = COUNTS.iter().zip(0..);
    let column =
        |(&count, seed)| words(seed, rows).into_iter().map(move |word| (word % count as u64) as u8);
    columns.flat_map(column).collect()
}

fn labels(codes: &[u8], rows: usize) -> Vec<u8> {
    (0..rows).map(|row| u8::from(codes[row] + codes[2 * rows + row] / 5 > 7)).collect()
}

#[test]
fn every_path_grows_and_walks_the_same_trees() {
    let rows = 30_001;
    let codes = codes(rows);
    let table = Table::new(&codes, (&COUNTS, &MISSING), rows).expect("a table");
    agree(|features| {
        let forest = grow(&table, &labels(&codes, rows), GROWTH, features).expect("trees");
        let mut out = vec![0.0; rows];
        score(&table, (&forest.nodes, &forest.leaves, 8), &mut out, features).expect("a score");
        assert!(out.iter().any(|&odds| odds > 0.5) && out.iter().any(|&odds| odds < -0.5));
        let bytes = forest.leaves.iter().chain(&out).flat_map(|real| real.to_le_bytes());
        forest.nodes.into_flattened().into_iter().chain(bytes).collect()
    });
}

#[test]
fn tables_of_every_small_size_are_joined() {
    let ids: Vec<_> = (0..80_u64).map(|id| (id * 37 % 101).to_le_bytes()).collect();
    for count in 0..40 {
        for common in [0, count / 2, count] {
            let (first, second) = (&ids[..count], &ids[count - common..=2 * count - common]);
            let sides = [first, second].map(|ids| {
                let ids = ids.as_flattened();
                Side { ids, id: 8, rows: ids, width: 8 }
            });
            let joined = join(&[7; 32], &sides).expect("a join");
            let (rows, _) = joined.rows.as_chunks::<16>();
            assert_eq!((rows.len(), joined.count), (count, common as u64));
            let (rows, rest) = rows.split_at(common);
            assert!(rows.iter().all(|row| row[..8] == row[8..]
                && first.contains(&row[..8].try_into().expect("8 bytes"))));
            assert!(rest.iter().all(|row| *row == [0; 16]));
            let mut found = rows.to_vec();
            found.sort_unstable();
            found.dedup();
            assert_eq!(found.len(), common);
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let (codes, counts) = ([0; 6], [2, 2, 2]);
    let table = |counts, rows| Table::new(&codes, (counts, &MISSING), rows);
    assert_eq!(refusal(table(&counts, 3)), Error::Length("codes", 9, 6));
    assert_eq!(refusal(table(&[2, 0, 2], 2)), Error::Count("bins", 255, 0));
    let table = table(&counts, 2).expect("a table");
    let deep = Growth { depth: 8, ..GROWTH };
    let grown = grow(&table, &[0, 1], deep, Features::PORTABLE);
    assert_eq!(refusal(grown), Error::Count("depth", 7, 8));
    let scored = score(&table, (&[], &[0.0; 3], 3), &mut [0.0; 2], Features::PORTABLE);
    assert_eq!(refusal(scored), Error::Length("leaves", 4, 3));
    let side = Side { ids: &[1, 1], id: 1, rows: &[], width: 0 };
    assert_eq!(refusal(join(&[0; 32], &[side])), Error::Repeated);
    assert_eq!(refusal(join(&[0; 32], &[])), Error::Length("tables", 1, 0));
    let nameless = Side { id: 0, ..side };
    assert_eq!(refusal(join(&[0; 32], &[nameless])), Error::Length("bytes of an id", 1, 0));
}
