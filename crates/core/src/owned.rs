//! The dealer's side of a product with a matrix that one party owns; the mask is never stored.

use crate::bits::{pack_groups, packed_len};
use crate::dealt::{Scratch, Share};
use crate::ring::{Shape, matmul};
use crate::{Error, Features};

/// Words of the mask that are made together.
const STRIP: usize = 1 << 15;

/// What the parties draw: the owner's mask u, the other's v, the first's share of u · v.
#[derive(Clone, Copy)]
pub struct Owned<'a> {
    /// Of m · k words.
    pub u: Share<'a>,
    /// Of k · n words.
    pub v: Share<'a>,
    /// Of m · n words.
    pub share: Share<'a>,
}

impl Owned<'_> {
    /// Writes u · v minus the share, as words of `bits` bits, to `out`.
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
        let Shape { m, k, n } = shape;
        let due = packed_len(m * n, bits)?;
        if out.len() != due {
            return Err(Error::Length("corrections", due, out.len()));
        }
        let rows = (STRIP / k.max(1)).next_multiple_of(8);
        let mut scratch = Scratch::default();
        let (mut u, mut v) = (vec![0; rows.min(m) * k], vec![0; k * n]);
        let (mut product, mut mask) = (vec![0; rows.min(m) * n], vec![0; rows.min(m) * n]);
        self.v.words(0, &mut v, &mut scratch);
        for top in (0..m).step_by(rows) {
            let strip = Shape { m: rows.min(m - top), k, n };
            let (u, product) = (&mut u[..strip.m * k], &mut product[..strip.m * n]);
            let mask = &mut mask[..strip.m * n];
            self.u.words(top * k, u, &mut scratch);
            matmul(u, &v, product, strip, 1, features)?;
            self.share.words(top * n, mask, &mut scratch);
            for (word, mask) in product.iter_mut().zip(mask) {
                *word = word.wrapping_sub(*mask);
            }
            let begin = top * n / 8 * bits as usize;
            let length = packed_len(product.len(), bits)?;
            pack_groups(product, bits, &mut out[begin..begin + length], features);
        }
        Ok(())
    }
}
