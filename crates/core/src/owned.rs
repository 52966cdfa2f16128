//! Products with a table that its owner masked: the dealer's, whose mask is never stored, and those
//! of what was sent of the table, as it lies.

use crate::bits::{pack_groups, packed_len};
use crate::dealt::{Scratch, Share};
use crate::ring::{Shape, matmul, matmul_transposed};
use crate::{Error, Features, parallel};

/// Words of the mask that are made together.
const STRIP: usize = 1 << 15;

/// Writes a · b modulo 2^64 to `out`, for a of m rows of k words that lie packed in a message.
///
/// # Errors
/// As [`Share::message`]; [`Error::Length`] if a length does not fit.
pub fn multiply_packed(
    (message, bits): (&[u8], u32),
    b: &[u64],
    out: &mut [u64],
    (shape, threads): (Shape, usize),
    features: Features,
) -> Result<(), Error> {
    let Shape { m, k, n } = shape;
    let count = m.checked_mul(k).ok_or(Error::StreamEnd)?;
    let words = Share::message(message, count, bits, features)?;
    shape.check(count, b.len(), out.len())?;
    if count == 0 || n == 0 {
        out.fill(0);
        return Ok(());
    }
    let rows = (STRIP / k).next_multiple_of(8).max(8);
    let span = parallel::share(m, rows, shape.threads(threads));
    parallel::each(out.chunks_mut(span * n).enumerate(), |(part, out)| {
        let (mut strip, mut scratch) = (vec![0; rows.min(m) * k], Scratch::default());
        for (index, out) in out.chunks_mut(rows * n).enumerate() {
            let shape = Shape { m: out.len() / n, k, n };
            let strip = &mut strip[..shape.m * k];
            words.words((part * span + index * rows) * k, strip, &mut scratch);
            // The lengths fit by construction.
            let _ = matmul(strip, b, out, shape, 1, features);
        }
    });
    Ok(())
}

/// What is drawn: the mask u of a table, the other party's v, the first party's share of u · v.
#[derive(Clone, Copy)]
pub struct Owned<'a> {
    /// Of all rows of the table.
    pub u: Share<'a>,
    /// The first row that is meant.
    pub row: usize,
    /// Of k · n words, or of m · n if transposed.
    pub v: Share<'a>,
    /// Of m · n words, or of k · n if transposed.
    pub share: Share<'a>,
    /// Whether the product is uᵀ · v.
    pub transposed: bool,
}

impl Owned<'_> {
    /// Writes u · v minus the share, as words of `bits` bits, to `out`; u has m rows of k words.
    ///
    /// # Errors
    /// [`Error::Length`] unless `out` has the bytes of the product.
    pub fn deal(
        self,
        shape: Shape,
        bits: u32,
        out: &mut [u8],
        features: Features,
    ) -> Result<(), Error> {
        let count = if self.transposed { shape.k } else { shape.m } * shape.n;
        let due = packed_len(count, bits)?;
        if out.len() != due {
            return Err(Error::Length("corrections", due, out.len()));
        }
        let mut product = vec![0; count];
        self.product(shape, &mut product, features)?;
        let (mut mask, mut scratch) = (vec![0; count], Scratch::default());
        self.share.words(0, &mut mask, &mut scratch);
        for (word, mask) in product.iter_mut().zip(mask) {
            *word = word.wrapping_sub(mask);
        }
        pack_groups(&product, bits, out, features);
        Ok(())
    }

    /// Writes u · v or uᵀ · v, strip by strip of the mask.
    fn product(self, shape: Shape, out: &mut [u64], features: Features) -> Result<(), Error> {
        let Shape { m, k, n } = shape;
        let rows = (STRIP / k.max(1)).next_multiple_of(8);
        let mut scratch = Scratch::default();
        let mut u = vec![0; rows.min(m) * k];
        let mut v = vec![0; if self.transposed { m } else { k } * n];
        let mut part = vec![0; if self.transposed { k * n } else { 0 }];
        self.v.words(0, &mut v, &mut scratch);
        for top in (0..m).step_by(rows) {
            let strip = Shape { m: rows.min(m - top), k, n };
            let u = &mut u[..strip.m * k];
            self.u.words((self.row + top) * k, u, &mut scratch);
            if self.transposed {
                let turned = Shape { m: k, k: strip.m, n };
                let v = &v[top * n..(top + strip.m) * n];
                matmul_transposed(u, v, &mut part, turned, 1, features)?;
                for (sum, word) in out.iter_mut().zip(&part) {
                    *sum = sum.wrapping_add(*word);
                }
            } else {
                let part = &mut out[top * n..(top + strip.m) * n];
                matmul(u, &v, part, strip, 1, features)?;
            }
        }
        Ok(())
    }
}
