//! Tables joined by id: sorted together by keyed hashes, and rows that all have moved to the top.
//!
//! Source: the sort-merge join of Opaque (Zheng et al., NSDI 2017, §5.2), for ids that are unique.

use super::mask::mask;
use super::network::{KEY, compact, sort};
use crate::Error;
use crate::products::same;
use crate::simd::{bytes_of, bytes_of_mut};

/// One table: an id and some bytes for each row. Its sizes are public.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// The ids, of `id` bytes each.
    pub ids: &'a [u8],
    /// Bytes of an id, the same in all tables.
    pub id: usize,
    /// The rows, of `width` bytes each.
    pub rows: &'a [u8],
    /// Bytes of a row.
    pub width: usize,
}

impl Side<'_> {
    fn count(&self) -> usize {
        self.ids.len() / self.id
    }

    fn words(&self) -> usize {
        self.width.div_ceil(8)
    }

    fn check(&self, id: usize) -> Result<(), Error> {
        same("bytes of an id", id.max(1), self.id)?;
        same("ids", self.count() * self.id, self.ids.len())?;
        same("rows", self.count() * self.width, self.rows.len())
    }
}

/// The joined rows.
pub struct Joined {
    /// As many rows as the smallest table has: those of the common ids, in an order that the key
    /// alone makes, each the tables' rows one after the other; then zeros.
    pub rows: Vec<u8>,
    /// How many are rows of common ids. Secret until somebody tells it.
    pub count: u64,
}

/// The rows of the ids that all tables have; hashes are BLAKE3 under the key, of 128 bits.
///
/// # Errors
/// [`Error::Length`] if a length does not fit, [`Error::Repeated`] if a table has an id twice.
pub fn join(key: &[u8; 32], sides: &[Side<'_>]) -> Result<Joined, Error> {
    let Some(first) = sides.first() else { return Err(Error::Length("tables", 1, 0)) };
    sides.iter().try_for_each(|side| side.check(first.id))?;
    let width = KEY + sides.iter().map(Side::words).max().unwrap_or(0);
    let mut records = records(key, sides, width);
    sort(&mut records, width);
    if repeated(&records, width) != 0 {
        return Err(Error::Repeated);
    }
    let (mut groups, count) = groups(&records, width, sides);
    compact(&mut groups, 1 + sides.iter().map(Side::words).sum::<usize>());
    Ok(Joined { rows: rows(&groups, sides), count })
}

/// A record for each row of each table: which table, the id's hash, the row.
fn records(key: &[u8; 32], sides: &[Side<'_>], width: usize) -> Vec<u64> {
    let count: usize = sides.iter().map(Side::count).sum();
    let mut records = vec![0; count * width];
    let mut rest = records.chunks_exact_mut(width);
    for (table, side) in (0..).zip(sides) {
        for (row, (id, record)) in side.ids.chunks_exact(side.id).zip(&mut rest).enumerate() {
            let hash = blake3::keyed_hash(key, id);
            record[0] = table;
            bytes_of_mut(&mut record[1..KEY]).copy_from_slice(&hash.as_bytes()[..16]);
            let bytes = &side.rows[row * side.width..][..side.width];
            bytes_of_mut(&mut record[KEY..])[..side.width].copy_from_slice(bytes);
        }
    }
    records
}

/// All ones if two neighbours are of one table and one id, else zero.
fn repeated(records: &[u64], width: usize) -> u64 {
    let next = records.get(width..).unwrap_or_default();
    let pairs = records.chunks_exact(width).zip(next.chunks_exact(width));
    pairs.fold(0, |found, (a, b)| found | alike(&a[..KEY], &b[..KEY]))
}

/// All ones if all words are equal.
fn alike(a: &[u64], b: &[u64]) -> u64 {
    mask(a.iter().zip(b).fold(0, |change, (a, b)| change | (a ^ b)) == 0)
}

/// A group for each record: if it and those after it are of one id in all tables, their rows, and
/// how many groups before are none; else zeros. And the number of those that are.
fn groups(records: &[u64], width: usize, sides: &[Side<'_>]) -> (Vec<u64>, u64) {
    let mut groups = Vec::new();
    let (mut found, mut passed) = (0, 0);
    for at in (0..records.len()).step_by(width) {
        let members = |table| records.get(at + table * width..).and_then(|rest| rest.get(..width));
        let own = &records[at + 1..at + KEY];
        let all = (1..sides.len()).fold(u64::MAX, |all, table| {
            all & members(table).map_or(0, |other| alike(own, &other[1..KEY]))
        });
        groups.push(passed & all);
        for (table, side) in sides.iter().enumerate() {
            let row = members(table).map_or(&[][..], |member| &member[KEY..]);
            groups.extend((0..side.words()).map(|word| row.get(word).map_or(0, |x| x & all)));
        }
        found += all & 1;
        passed += !all & 1;
    }
    (groups, found)
}

/// The first groups without their first words, as bytes.
fn rows(groups: &[u64], sides: &[Side<'_>]) -> Vec<u8> {
    let width = 1 + sides.iter().map(Side::words).sum::<usize>();
    let most = sides.iter().map(Side::count).min().unwrap_or(0);
    let mut rows = Vec::new();
    for group in groups.chunks_exact(width).take(most) {
        let mut rest = &group[1..];
        for side in sides {
            let (row, after) = rest.split_at(side.words());
            rows.extend_from_slice(&bytes_of(row)[..side.width]);
            rest = after;
        }
    }
    rows
}
