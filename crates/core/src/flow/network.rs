//! Records of words, sorted and moved together by exchanges whose places are known beforehand.

use super::mask::{mask, swap};

/// Words of a record that it is sorted by, least significant first.
pub(super) const KEY: usize = 3;

/// Sorts records of `width` words, which begin with their key.
///
/// Source: Batcher's merge exchange for any number of records; Knuth, "The Art of Computer
/// Programming" vol. 3, §5.2.2, algorithm M.
pub(super) fn sort(records: &mut [u64], width: usize) {
    let top = (records.len() / width).next_power_of_two() / 2;
    let mut p = top;
    while p > 0 {
        let (mut q, mut r, mut d) = (top, 0, p);
        loop {
            pass(records, width, (p, r, d));
            if q == p {
                break;
            }
            (d, q, r) = (q - p, q / 2, p);
        }
        p /= 2;
    }
}

/// Puts record i and record i + d in order, for each i whose bit p is that of r.
fn pass(records: &mut [u64], width: usize, (p, r, d): (usize, usize, usize)) {
    let most = (records.len() / width).saturating_sub(d);
    for start in (r..most).step_by(2 * p) {
        let run = p.min(most - start) * width;
        let (low, high) = records.split_at_mut((start + d) * width);
        let low = low[start * width..][..run].chunks_exact_mut(width);
        for (first, second) in low.zip(high[..run].chunks_exact_mut(width)) {
            swap(mask(after(first, second)), first, second);
        }
    }
}

/// Whether the first key is the greater: the difference of second and first borrows.
fn after(first: &[u64], second: &[u64]) -> bool {
    first[..KEY].iter().zip(&second[..KEY]).fold(false, |borrow, (&a, &b)| {
        let (rest, below) = b.overflowing_sub(a);
        below | rest.overflowing_sub(u64::from(borrow)).1
    })
}

/// Moves each record up by as many places as its first word says; others, which say 0, give way.
///
/// The word is the number of those that give way before it, so records stay in order and never
/// meet. Source: Goodrich, "Data-oblivious external-memory algorithms for the compaction,
/// selection, and sorting of outsourced data" (SPAA 2011), §3.
pub(super) fn compact(records: &mut [u64], width: usize) {
    let count = records.len() / width;
    let mut step = 1;
    while step < count {
        for at in step..count {
            let (low, high) = records.split_at_mut(at * width);
            let (to, from) = (&mut low[(at - step) * width..][..width], &mut high[..width]);
            swap(mask(from[0] & step as u64 != 0), to, from);
        }
        step *= 2;
    }
}
