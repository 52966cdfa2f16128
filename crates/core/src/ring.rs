//! Words modulo 2^64: the matrix product.
//!
//! Blocked as in Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication"
//! (2008): strips of both operands are copied so that the innermost tile reads them in order.
//! Time depends on shapes alone: no branch and no address depends on a word's value.

#![expect(clippy::inline_always, reason = "each instruction set compiles its own copy")]

use crate::{Error, Features, simd};

/// Rows of a tile.
pub(crate) const ROWS: usize = 6;
/// Columns of a tile.
pub(crate) const COLS: usize = 8;
/// Depth of a block: a strip of each operand together stays in the first cache.
const DEPTH: usize = 192;
/// Strips of columns copied together: 192 · 64 · 8 words stay in the second cache.
const STRIPS: usize = 64;
/// Below this, a side of the product would leave a tile mostly padding, or too little to do.
const NARROW: usize = 4;
/// Multiplications that are worth a thread of their own.
const WORTH_A_THREAD: usize = 1 << 20;

pub(crate) type Tile = [[u64; COLS]; ROWS];
type TileKernel = fn(&[[u64; ROWS]], &[[u64; COLS]]) -> Tile;
type DotsKernel = fn(&[u64], &[u64], &mut [u64]);
type AxpysKernel = fn(&[u64], &[u64], &mut [u64], (usize, usize));

/// The inner loops for one instruction set.
#[derive(Clone, Copy)]
pub(crate) struct Kernels {
    /// The product of a strip of rows and a strip of columns.
    pub(crate) tile: TileKernel,
    /// The dot product of each row with one column.
    pub(crate) dots: DotsKernel,
    /// The product as sums of multiples of the right operand's rows, shape (k, n).
    pub(crate) axpys: AxpysKernel,
}

impl Kernels {
    pub(crate) const PORTABLE: Self = Self {
        tile: |a, b| tile(a, b),
        dots: |rows, column, out| dots(rows, column, out),
        axpys: |a, b, out, shape| axpys(a, b, out, shape),
    };
}

/// A matrix product's shape: (m × k) · (k × n).
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Rows of the left operand.
    pub m: usize,
    /// Columns of the left operand, rows of the right.
    pub k: usize,
    /// Columns of the right operand.
    pub n: usize,
}

impl Shape {
    fn check(self, a: &[u64], b: &[u64], out: &[u64]) -> Result<(), Error> {
        let lengths = [
            ("left operand", self.m.checked_mul(self.k), a.len()),
            ("right operand", self.k.checked_mul(self.n), b.len()),
            ("product", self.m.checked_mul(self.n), out.len()),
        ];
        for (name, expected, found) in lengths {
            if expected != Some(found) {
                return Err(Error::Length(name, expected.unwrap_or(usize::MAX), found));
            }
        }
        Ok(())
    }
}

/// Writes a · b modulo 2^64 to `out`, all row-major, on at most `threads` threads.
///
/// # Errors
/// [`Error::Length`] if a slice does not have the length that `shape` says.
pub fn matmul(
    a: &[u64],
    b: &[u64],
    out: &mut [u64],
    shape: Shape,
    threads: usize,
    features: Features,
) -> Result<(), Error> {
    shape.check(a, b, out)?;
    let Shape { m, k, n } = shape;
    out.fill(0);
    if out.is_empty() || k == 0 {
        return Ok(());
    }
    let kernels = simd::kernels(features);
    let work = m.saturating_mul(k).saturating_mul(n);
    let threads = threads.clamp(1, 1 + work / WORTH_A_THREAD);
    let rows = m.div_ceil(threads).next_multiple_of(ROWS);
    let narrow = (n < NARROW).then(|| transpose(b, n));
    std::thread::scope(|scope| {
        let run = |a: &[u64], out: &mut [u64]| match &narrow {
            Some(columns) => narrow_part(a, columns, out, k, kernels),
            None if m.min(k) < NARROW => (kernels.axpys)(a, b, out, (k, n)),
            None => wide_part(a, b, out, (k, n), kernels),
        };
        let mut parts = a.chunks(rows * k).zip(out.chunks_mut(rows * n));
        let own = parts.next();
        for (a, out) in parts {
            scope.spawn(move || run(a, out));
        }
        if let Some((a, out)) = own {
            run(a, out);
        }
    });
    Ok(())
}

/// The columns of a row-major matrix with `n` columns, one after the other.
fn transpose(b: &[u64], n: usize) -> Vec<u64> {
    (0..n).flat_map(|j| b.iter().skip(j).step_by(n).copied()).collect()
}

fn narrow_part(a: &[u64], columns: &[u64], out: &mut [u64], k: usize, kernels: Kernels) {
    let n = columns.len() / k;
    if n == 1 {
        return (kernels.dots)(a, columns, out);
    }
    let mut dots = vec![0; a.len() / k];
    for (j, column) in columns.chunks_exact(k).enumerate() {
        (kernels.dots)(a, column, &mut dots);
        for (row, &dot) in out.chunks_exact_mut(n).zip(&dots) {
            row[j] = dot;
        }
    }
}

fn wide_part(a: &[u64], b: &[u64], out: &mut [u64], (k, n): (usize, usize), kernels: Kernels) {
    let mut left = vec![[0; ROWS]; DEPTH.min(k)];
    let mut right = vec![[0; COLS]; DEPTH.min(k) * STRIPS.min(n.div_ceil(COLS))];
    for first in (0..n).step_by(STRIPS * COLS) {
        let strips = (n - first).div_ceil(COLS).min(STRIPS);
        for top in (0..k).step_by(DEPTH) {
            let depth = (k - top).min(DEPTH);
            let (left, right) = (&mut left[..depth], &mut right[..strips * depth]);
            for (strip, copy) in right.chunks_exact_mut(depth).enumerate() {
                copy_columns(&b[top * n..(top + depth) * n], n, first + strip * COLS, copy);
            }
            for (rows, out) in a.chunks(ROWS * k).zip(out.chunks_mut(ROWS * n)) {
                copy_rows(rows, k, top, left);
                for (strip, right) in right.chunks_exact(depth).enumerate() {
                    add_tile(&(kernels.tile)(left, right), out, n, first + strip * COLS);
                }
            }
        }
    }
}

/// Copies columns `first..first + COLS` of some rows, with zeros past the last column.
fn copy_columns(rows: &[u64], n: usize, first: usize, strip: &mut [[u64; COLS]]) {
    let width = (n - first).min(COLS);
    for (row, line) in rows.chunks_exact(n).zip(strip) {
        line[..width].copy_from_slice(&row[first..first + width]);
        line[width..].fill(0);
    }
}

/// Copies columns `top..top + strip.len()` of at most ROWS rows, column by column, zeros below.
fn copy_rows(rows: &[u64], k: usize, top: usize, strip: &mut [[u64; ROWS]]) {
    if rows.len() < ROWS * k {
        strip.fill([0; ROWS]);
    }
    for (r, row) in rows.chunks_exact(k).enumerate() {
        for (line, &word) in strip.iter_mut().zip(&row[top..]) {
            line[r] = word;
        }
    }
}

fn add_tile(tile: &Tile, out: &mut [u64], n: usize, first: usize) {
    for (row, sums) in out.chunks_exact_mut(n).zip(tile) {
        for (word, sum) in row[first..].iter_mut().zip(sums) {
            *word = word.wrapping_add(*sum);
        }
    }
}

/// The tile for any processor; compiled again for each instruction set that has a 64-bit product.
#[inline(always)]
pub(crate) fn tile(a: &[[u64; ROWS]], b: &[[u64; COLS]]) -> Tile {
    let mut sums = [[0u64; COLS]; ROWS];
    for (left, right) in a.iter().zip(b) {
        for (row, x) in sums.iter_mut().zip(left) {
            for (sum, y) in row.iter_mut().zip(right) {
                *sum = sum.wrapping_add(x.wrapping_mul(*y));
            }
        }
    }
    sums
}

/// The sums of row multiples for any processor; compiled again for each instruction set.
#[inline(always)]
pub(crate) fn axpys(a: &[u64], b: &[u64], out: &mut [u64], (k, n): (usize, usize)) {
    for (row, sums) in a.chunks_exact(k).zip(out.chunks_exact_mut(n)) {
        for (x, line) in row.iter().zip(b.chunks_exact(n)) {
            for (sum, y) in sums.iter_mut().zip(line) {
                *sum = sum.wrapping_add(x.wrapping_mul(*y));
            }
        }
    }
}

/// The dot products for any processor; compiled again for each instruction set.
#[inline(always)]
pub(crate) fn dots(rows: &[u64], column: &[u64], out: &mut [u64]) {
    for (row, sum) in rows.chunks_exact(column.len()).zip(out) {
        let products = row.iter().zip(column).map(|(x, y)| x.wrapping_mul(*y));
        *sum = products.fold(0, u64::wrapping_add);
    }
}
