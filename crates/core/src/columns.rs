//! Packed fields of rows, one column for each element, written by several threads at once.

#![expect(clippy::cast_possible_truncation, reason = "a width is at most 64")]

use crate::bits::{pack_groups, read_bits, write_bits};
use crate::products::same;
use crate::simd::bytes_of;
use crate::{Error, Features, parallel};

/// Columns that fill whole bytes in every row.
const WHOLE: usize = 8;

/// How a field lies: rows of words of so many bits, without gaps, the whole padded to bytes.
#[derive(Clone, Copy)]
pub(crate) struct Field {
    pub(crate) rows: usize,
    pub(crate) bits: usize,
}

impl Field {
    fn len(self, count: usize) -> Result<usize, Error> {
        let size = self.rows.checked_mul(self.bits).and_then(|bits| bits.checked_mul(count));
        Ok(size.ok_or(Error::StreamEnd)?.div_ceil(8))
    }
}

/// The bytes of the fields of `count` elements.
pub(crate) fn columns_len(fields: &[Field], count: usize) -> Result<usize, Error> {
    fields.iter().map(|field| field.len(count)).sum()
}

/// A run of elements, and their columns of each row of each field.
pub(crate) struct Part<'a> {
    /// The first element.
    pub(crate) begin: usize,
    /// Elements, those that only pad included.
    pub(crate) count: usize,
    rows: Vec<Vec<&'a mut [u8]>>,
    bits: Vec<usize>,
    features: Features,
}

impl Part<'_> {
    /// Writes words to a row of a field, from column `at` on, for a multiple of 8 columns.
    ///
    /// An element of more than 64 bits has several words.
    pub(crate) fn put(&mut self, (field, row): (usize, usize), at: usize, words: &[u64]) {
        let (bits, width) = (self.bits[field], self.bits[field].min(64));
        let out = &mut self.rows[field][row][at / WHOLE * bits..];
        let length = words.len() / WHOLE * width;
        pack_groups(words, width as u32, &mut out[..length], self.features);
    }

    /// Writes bits to a row of a field of bits: `count` of them, a multiple of 8.
    pub(crate) fn put_bits(
        &mut self,
        (field, row): (usize, usize),
        at: usize,
        bits: (&[u64], usize),
    ) {
        let (words, count) = bits;
        let out = &mut self.rows[field][row][at / WHOLE..(at + count) / WHOLE];
        let length = out.len();
        out.copy_from_slice(&bytes_of(words)[..length]);
    }
}

/// Writes all fields to `out`: each thread runs `write` on a part of at least `least` elements.
pub(crate) fn write(
    fields: &[Field],
    (count, least): (usize, usize),
    out: &mut [u8],
    features: Features,
    write: impl Fn(Part<'_>) + Sync,
) -> Result<(), Error> {
    same("fields", columns_len(fields, count)?, out.len())?;
    let padded = count.next_multiple_of(WHOLE);
    if padded == count {
        whole(fields, (count, least), out, features, write);
        return Ok(());
    }
    let mut wide = vec![0; columns_len(fields, padded)?];
    whole(fields, (padded, least), &mut wide, features, write);
    narrow(fields, (&wide, padded), (out, count))
}

/// [`write`] where each row has whole bytes.
fn whole(
    fields: &[Field],
    (count, least): (usize, usize),
    mut out: &mut [u8],
    features: Features,
    write: impl Fn(Part<'_>) + Sync,
) {
    let span = parallel::share(count, 64, features.threads(count, least));
    let mut parts: Vec<_> = (0..count)
        .step_by(span)
        .map(|begin| Part {
            begin,
            count: span.min(count - begin),
            rows: Vec::new(),
            bits: fields.iter().map(|field| field.bits).collect(),
            features,
        })
        .collect();
    for field in fields {
        let width = count / WHOLE * field.bits;
        let (rows, rest) = out.split_at_mut(field.rows * width);
        let columns = parallel::columns(rows, width, span / WHOLE * field.bits);
        for (part, rows) in parts.iter_mut().zip(columns) {
            part.rows.push(rows);
        }
        out = rest;
    }
    parallel::each(parts, write);
}

/// Copies rows of a padded count to rows without padding.
fn narrow(
    fields: &[Field],
    (mut wide, padded): (&[u8], usize),
    (mut out, count): (&mut [u8], usize),
) -> Result<(), Error> {
    out.fill(0);
    let most = fields.iter().map(|field| field.bits).max().unwrap_or(0);
    let mut line = vec![0; (padded * most).div_ceil(64)];
    for field in fields {
        let (source, after) = wide.split_at(field.len(padded)?);
        let (target, rest) = out.split_at_mut(field.len(count)?);
        let size = count * field.bits;
        for row in 0..field.rows {
            read_bits(source, row * padded * field.bits, size, &mut line);
            write_bits(target, row * size, size, &line);
        }
        (wide, out) = (after, rest);
    }
    Ok(())
}
