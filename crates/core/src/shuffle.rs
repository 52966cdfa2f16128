//! Rows in the order that one party alone knows.

use crate::bits::{pack_groups, packed_len};
use crate::dealt::{Dealt, Scratch, Share};
use crate::products::same;
use crate::{Error, Features, parallel};

/// Rows that are treated together.
const ROWS: usize = 512;
/// Words that are worth a thread.
const WORTH_A_THREAD: usize = 1 << 16;
/// Keys that share their upper bits, on average.
const ALIKE: usize = 8;

/// Which rows, and the bits of a word in a message.
#[derive(Clone, Copy)]
pub struct Rows {
    /// Rows.
    pub count: usize,
    /// Words of a row.
    pub columns: usize,
    /// Bits of a word.
    pub ring: u32,
}

impl Rows {
    fn words(self) -> Result<usize, Error> {
        self.count.checked_mul(self.columns).ok_or(Error::StreamEnd)
    }

    /// The bytes of a message of all rows.
    ///
    /// # Errors
    /// [`Error::Bits`] for a width out of range; [`Error::StreamEnd`] for too many.
    pub fn message_len(self) -> Result<usize, Error> {
        packed_len(self.words()?, self.ring)
    }
}

/// Writes the order that sorts the keys, which are drawn, to `out`; equal ones keep theirs.
///
/// By upper bits first, then each few: uniform keys spread evenly.
pub fn order(keys: Share<'_>, out: &mut [u64]) {
    let count = out.len();
    let bits = (count / ALIKE).max(1).ilog2();
    let mut sorted = vec![(0, 0); count];
    let mut drawn = vec![0; count];
    keys.write_words(&mut drawn);
    let bucket = |key: u64| usize::try_from(key.unbounded_shr(64 - bits)).unwrap_or_default();
    let mut ends = vec![0; (1 << bits) + 1];
    for key in &drawn {
        ends[bucket(*key) + 1] += 1;
    }
    for at in 1..ends.len() {
        ends[at] += ends[at - 1];
    }
    for (row, key) in drawn.into_iter().enumerate() {
        let place = &mut ends[bucket(key)];
        sorted[*place] = (key, row as u64);
        *place += 1;
    }
    // Each end has moved to the next bucket's beginning.
    let mut begin = 0;
    for end in &ends[..1 << bits] {
        sorted[begin..*end].sort_unstable();
        begin = *end;
    }
    for (place, (_, row)) in out.iter_mut().zip(sorted) {
        *place = row;
    }
}

/// Writes the corrections of the other party's mask in the owner's order to `out`.
///
/// The owner's keys are field 0 of its part, the mask field 1 of the other's, shares field 2.
///
/// # Errors
/// As [`Rows::message_len`]; [`Error::Length`] if a size does not fit.
pub fn deal<B: AsRef<[u8]> + Sync>(
    (first, second): (&Dealt<B>, &Dealt<B>),
    (owner, rows): (usize, Rows),
    out: &mut [u8],
    features: Features,
) -> Result<(), Error> {
    same("corrections", rows.message_len()?, out.len())?;
    let [holder, other] = if owner == 0 { [first, second] } else { [second, first] };
    let (keys, words) = (holder.share(0, rows.count, 64)?, rows.words()?);
    let mask = other.share(1, words, rows.ring)?;
    let share = first.share(2, words, rows.ring)?;
    let (mut places, mut masks) = (vec![0; rows.count], vec![0; words]);
    order(keys, &mut places);
    mask.write_words(&mut masks);
    write((&masks, &places), rows, share, out, features);
    Ok(())
}

/// Writes the rows at the places, less the masks, to `out`: a message.
///
/// # Errors
/// As [`Rows::message_len`]; [`Error::Length`] if a size does not fit, or a place is none.
pub fn mask_rows(
    (x, places): (&[u64], &[u64]),
    rows: Rows,
    mask: Share<'_>,
    out: &mut [u8],
    features: Features,
) -> Result<(), Error> {
    same("message", rows.message_len()?, out.len())?;
    check(x, places, rows)?;
    write((x, places), rows, mask, out, features);
    Ok(())
}

/// Refuses places that are not those of rows.
fn check(x: &[u64], places: &[u64], rows: Rows) -> Result<(), Error> {
    same("rows", rows.words()?, x.len())?;
    same("places", rows.count, places.len())?;
    match places.iter().max() {
        Some(&place) if place >= rows.count as u64 => {
            Err(Error::Length("rows", rows.count, usize::try_from(place).unwrap_or(usize::MAX)))
        }
        _ => Ok(()),
    }
}

/// Writes rows less shares, packed; several threads write whole bytes each.
fn write(
    (x, places): (&[u64], &[u64]),
    rows: Rows,
    share: Share<'_>,
    out: &mut [u8],
    features: Features,
) {
    let Rows { count, columns, ring } = rows;
    let threads = features.threads(x.len(), WORTH_A_THREAD);
    let span = parallel::share(count, ROWS, threads);
    let bytes = |rows: usize| rows / 8 * columns * ring as usize;
    let runs = places.chunks(span).zip(out.chunks_mut(bytes(span).max(1))).enumerate();
    parallel::each(runs, |(part, (places, out))| {
        let (mut scratch, mut words) = (Scratch::default(), vec![0; ROWS * columns]);
        let bytes = out.chunks_mut(bytes(ROWS).max(1));
        for (index, (places, bytes)) in places.chunks(ROWS).zip(bytes).enumerate() {
            let words = &mut words[..places.len() * columns];
            share.words((part * span + index * ROWS) * columns, words, &mut scratch);
            for (row, place) in words.chunks_exact_mut(columns.max(1)).zip(places) {
                let begin = usize::try_from(*place).unwrap_or_default() * columns;
                for (word, value) in row.iter_mut().zip(&x[begin..]) {
                    *word = value.wrapping_sub(*word);
                }
            }
            pack_groups(words, ring, bytes, features);
        }
    });
}

/// Writes x[order] + message[shuffle] + share to `out`: the owner's share of the rows in its order.
///
/// # Errors
/// As [`Share::message`]; [`Error::Length`] if a size does not fit, or a place is none.
pub fn place_rows(
    x: &[u64],
    (order, shuffle): (&[u64], &[u64]),
    message: &[u8],
    (rows, share): (Rows, Share<'_>),
    out: &mut [u64],
    features: Features,
) -> Result<(), Error> {
    check(x, order, rows)?;
    check(x, shuffle, rows)?;
    same("rows", x.len(), out.len())?;
    let columns = rows.columns;
    let mut masked = vec![0; x.len()];
    Share::message(message, x.len(), rows.ring, features)?.write_words(&mut masked);
    let span = parallel::share(rows.count, ROWS, features.threads(x.len(), WORTH_A_THREAD));
    let runs = order.chunks(span).zip(shuffle.chunks(span));
    let runs = runs.zip(out.chunks_mut((span * columns).max(1))).enumerate();
    parallel::each(runs, |(part, ((order, shuffle), out))| {
        let mut scratch = Scratch::default();
        share.words(part * span * columns, out, &mut scratch);
        let rows = out.chunks_exact_mut(columns.max(1));
        for (row, (own, other)) in rows.zip(order.iter().zip(shuffle)) {
            let begin = |place: &u64| usize::try_from(*place).unwrap_or_default() * columns;
            let values = x[begin(own)..].iter().zip(&masked[begin(other)..]);
            for (word, (value, masked)) in row.iter_mut().zip(values) {
                *word = word.wrapping_add(*value).wrapping_add(*masked);
            }
        }
    });
    Ok(())
}
