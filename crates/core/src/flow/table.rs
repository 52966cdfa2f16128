//! A table of bin codes, one column after the other.

use crate::products::same;
use crate::{Error, Features};

/// The most bins that a column may have: a code is a byte, and 255 is none.
const BINS: usize = 255;
/// The most columns: a node names its column by a byte.
const COLUMNS: usize = 256;

/// Rows are padded to a multiple, which every vector loop divides: what a compiler makes of the
/// rows that a vector leaves over, it may branch in.
const LANES: usize = 256;
/// A code that no row has.
const NONE: u8 = u8::MAX;

/// Bin codes of some columns of the same rows. All but the codes is public.
pub struct Table<'a> {
    codes: Vec<u8>,
    pub(super) counts: &'a [usize],
    pub(super) missing: &'a [bool],
    pub(super) rows: usize,
    /// The rows with those that pad, whose code is none.
    pub(super) places: usize,
}

impl<'a> Table<'a> {
    /// Columns of `rows` codes each, with so many bins; the last bin may mean a missing value.
    ///
    /// A code that is in none of its column's bins counts nowhere.
    ///
    /// # Errors
    /// [`Error::Length`] if a length does not fit, [`Error::Count`] for too many bins or columns.
    pub fn new(
        codes: &[u8],
        (counts, missing): (&'a [usize], &'a [bool]),
        rows: usize,
    ) -> Result<Self, Error> {
        same("codes", counts.len() * rows, codes.len())?;
        same("missing", counts.len(), missing.len())?;
        limited("columns", COLUMNS, counts.len())?;
        counts.iter().try_for_each(|&count| limited("bins", BINS, count))?;
        let places = rows.next_multiple_of(LANES);
        let mut padded = vec![NONE; counts.len() * places];
        for (place, column) in padded.chunks_mut(places.max(1)).zip(codes.chunks(rows.max(1))) {
            place[..rows].copy_from_slice(column);
        }
        Ok(Self { codes: padded, counts, missing, rows, places })
    }

    /// The codes of each column, padded.
    pub(super) fn columns(&self) -> impl Iterator<Item = &[u8]> {
        self.codes.chunks(self.places.max(1))
    }

    /// The code of each column that means a missing value; of a column without, one that none has.
    pub(super) fn gaps(&self) -> impl Iterator<Item = u8> {
        let facts = self.counts.iter().zip(self.missing);
        facts.map(|(&count, &missing)| if missing { last(count) } else { NONE })
    }

    /// All bins of all columns.
    pub(super) fn bins(&self) -> usize {
        self.counts.iter().sum()
    }

    /// The threads that are worth it for work on every row of every column.
    pub(super) fn threads(&self, features: Features) -> usize {
        features.threads(self.rows * self.counts.len(), 1 << 16)
    }
}

/// Refuses a count that is zero or above `most`.
pub(super) fn limited(name: &'static str, most: usize, found: usize) -> Result<(), Error> {
    if (1..=most).contains(&found) { Ok(()) } else { Err(Error::Count(name, most, found)) }
}

#[expect(clippy::cast_possible_truncation, reason = "at most 255 bins")]
fn last(count: usize) -> u8 {
    (count - 1) as u8
}
