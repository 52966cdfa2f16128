//! A table of bin codes, one column after the other.

use crate::products::same;
use crate::{Error, Features};

/// The most bins that a column may have: a code is a byte, and 255 is none.
const BINS: usize = 255;
/// The most columns: a node names its column by a byte.
const COLUMNS: usize = 256;

/// Bin codes of some columns of the same rows. All but the codes is public.
#[derive(Clone, Copy)]
pub struct Table<'a> {
    codes: &'a [u8],
    pub(super) counts: &'a [usize],
    pub(super) missing: &'a [bool],
    pub(super) rows: usize,
}

impl<'a> Table<'a> {
    /// Columns of `rows` codes each, with so many bins; the last bin may mean a missing value.
    ///
    /// A code that is in none of its column's bins counts nowhere.
    ///
    /// # Errors
    /// [`Error::Length`] if a length does not fit, [`Error::Count`] for too many bins or columns.
    pub fn new(
        codes: &'a [u8],
        (counts, missing): (&'a [usize], &'a [bool]),
        rows: usize,
    ) -> Result<Self, Error> {
        same("codes", counts.len() * rows, codes.len())?;
        same("missing", counts.len(), missing.len())?;
        limited("columns", COLUMNS, counts.len())?;
        counts.iter().try_for_each(|&count| limited("bins", BINS, count))?;
        Ok(Self { codes, counts, missing, rows })
    }

    /// The codes of each column.
    pub(super) fn columns(&self) -> impl Iterator<Item = &'a [u8]> {
        let (codes, rows) = (self.codes, self.rows);
        (0..self.counts.len()).map(move |column| &codes[column * rows..][..rows])
    }

    /// The code of each column that means a missing value; of a column without, one that none has.
    pub(super) fn gaps(&self) -> impl Iterator<Item = u8> {
        let facts = self.counts.iter().zip(self.missing);
        facts.map(|(&count, &missing)| if missing { last(count) } else { u8::MAX })
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
