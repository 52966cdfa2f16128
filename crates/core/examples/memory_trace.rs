//! One kernel on bytes from standard input, for a recorder of memory accesses:
//! `valgrind --tool=lackey --trace-mem=yes memory_trace grow [portable] < bytes`.
//!
//! `planted` and `branching` leak on purpose: a recorder that finds nothing there finds nothing.

use std::hint::black_box;
use std::io::Read;

use moiety_core::flow::Table;
use moiety_core::flow::grow::{Growth, grow};
use moiety_core::flow::join::{Side, join};
use moiety_core::flow::score::score;
use moiety_core::{Error, Features};

/// Not a multiple of what any vector holds.
const ROWS: usize = 75;
const COUNTS: [usize; 3] = [8, 7, 6];
const MISSING: [bool; 3] = [false, true, false];
const GROWTH: Growth = Growth { trees: 2, depth: 2, rate: 0.3, least: 5 };
const NODES: usize = 3;
const LEAVES: usize = 4;
const ID: usize = 8;
const WIDTH: usize = 5;
/// Rows of the second table of a join.
const OTHERS: usize = 50;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let kernel = std::env::args().nth(1).unwrap_or_default();
    let mut bytes = Vec::with_capacity(1 << 12);
    std::io::stdin().read_to_end(&mut bytes)?;
    let portable = std::env::args().nth(2).is_some();
    let features = if portable { Features::PORTABLE } else { Features::detect() }.with_threads(1);
    match kernel.as_str() {
        "grow" => grown(&bytes, features)?,
        "score" => scored(&bytes, features)?,
        "join" => joined(&bytes)?,
        "planted" => planted(&bytes),
        "branching" => branching(&bytes),
        _ => return Err("one of grow, score, join, planted, branching".into()),
    }
    Ok(())
}

/// Codes of all columns.
fn table(bytes: &[u8]) -> Result<(Table<'_>, &[u8]), Error> {
    let (codes, rest) = bytes.split_at(ROWS * COUNTS.len());
    Ok((Table::new(codes, (&COUNTS, &MISSING), ROWS)?, rest))
}

/// Codes, then labels.
fn grown(bytes: &[u8], features: Features) -> Result<(), Error> {
    let (table, labels) = table(bytes)?;
    let forest = grow(&table, &labels[..ROWS], GROWTH, features)?;
    black_box(forest.leaves);
    Ok(())
}

/// Codes, then the nodes of two trees, then bytes that are their leaves.
fn scored(bytes: &[u8], features: Features) -> Result<(), Error> {
    let (table, rest) = table(bytes)?;
    let (nodes, rest) = rest.split_at(2 * NODES * 3);
    let leaves: Vec<_> = rest[..2 * LEAVES].iter().map(|&byte| f64::from(byte)).collect();
    let mut out = vec![0.0; ROWS];
    score(&table, (nodes.as_chunks().0, &leaves, LEAVES), &mut out, features)?;
    black_box(out);
    Ok(())
}

/// A key, ids and rows of one table, then of another.
fn joined(bytes: &[u8]) -> Result<(), Error> {
    let (key, rest) = bytes.split_first_chunk().ok_or(Error::Length("key", 32, bytes.len()))?;
    let (first, second) = rest.split_at(ROWS * (ID + WIDTH));
    let sides = [(first, ROWS), (second, OTHERS)].map(|(bytes, count)| {
        let (ids, rows) = bytes.split_at(count * ID);
        Side { ids, id: ID, rows: &rows[..count * WIDTH], width: WIDTH }
    });
    black_box(join(key, &sides)?.rows);
    Ok(())
}

/// An ordinary histogram: the code is the place.
fn planted(bytes: &[u8]) {
    let mut bins = [0_u32; 256];
    for &code in bytes {
        bins[usize::from(code)] += 1;
    }
    black_box(bins);
}

/// An ordinary search, which ends where it finds.
fn branching(bytes: &[u8]) {
    black_box(bytes.iter().position(|&code| code == 3));
}
