//! Words modulo 2^64: the matrix product.
//!
//! Blocked as in Goto and van de Geijn, "Anatomy of High-Performance Matrix Multiplication"
//! (2008): strips of both operands are copied so that the innermost tile reads them in order.
//! Time depends on shapes alone: no branch and no address depends on a word's value.

#![expect(clippy::inline_always, reason = "each instruction set compiles its own copy")]

use std::sync::{Mutex, PoisonError};

use crate::{Error, Features, parallel, simd};

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
/// Words of a row up to which a block of rows stays in the second cache.
const WIDE: usize = 512;
/// Words of the rows whose multiples are summed together: they stay in the first cache.
const TOGETHER: usize = 2048;

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
    /// Of so many threads, those that are worth their while.
    pub(crate) fn threads(self, threads: usize) -> usize {
        let work = self.m.saturating_mul(self.k).saturating_mul(self.n);
        threads.clamp(1, 1 + work / WORTH_A_THREAD)
    }

    /// Refuses operands and products of other lengths.
    pub(crate) fn check(self, a: usize, b: usize, out: usize) -> Result<(), Error> {
        let lengths = [
            ("left operand", self.m.checked_mul(self.k), a),
            ("right operand", self.k.checked_mul(self.n), b),
            ("product", self.m.checked_mul(self.n), out),
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
    shape.check(a.len(), b.len(), out.len())?;
    let Shape { m, k, n } = shape;
    out.fill(0);
    if out.is_empty() || k == 0 {
        return Ok(());
    }
    let kernels = simd::kernels(features);
    let rows = parallel::share(m, ROWS, shape.threads(threads));
    if m < NARROW {
        flat((b, &transpose(a, k)), out, (n, k, m), (shape.threads(threads), kernels));
        return Ok(());
    }
    let narrow = (n < NARROW).then(|| transpose(b, n));
    parallel::each(a.chunks(rows * k).zip(out.chunks_mut(rows * n)), |(a, out)| match &narrow {
        Some(columns) => narrow_part(a, columns, out, k, kernels),
        None if k < NARROW => (kernels.axpys)(a, b, out, (k, n)),
        None => wide_part(Left::Rows(a), b, out, (k, n), kernels),
    });
    Ok(())
}

/// Writes aᵀ · b to `out`, for a of k rows and m columns as it lies.
///
/// # Errors
/// As [`matmul`].
pub fn matmul_transposed(
    a: &[u64],
    b: &[u64],
    out: &mut [u64],
    shape: Shape,
    threads: usize,
    features: Features,
) -> Result<(), Error> {
    shape.check(a.len(), b.len(), out.len())?;
    let Shape { m, k, n } = shape;
    out.fill(0);
    if out.is_empty() || k == 0 {
        return Ok(());
    }
    let kernels = simd::kernels(features);
    let threads = shape.threads(threads);
    if n < NARROW || m < NARROW {
        let mut turned = vec![0; n * m];
        flat((a, b), &mut turned, (m, k, n), (threads, kernels));
        out.copy_from_slice(&transpose(&turned, m));
        return Ok(());
    }
    let rows = parallel::share(m, ROWS, threads);
    parallel::each(out.chunks_mut(rows * n).enumerate(), |(part, out)| {
        wide_part(Left::Columns { a, m, first: part * rows }, b, out, (k, n), kernels);
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

/// Writes bᵀ · a, n × m, for a of k rows and few columns of b; each thread sums some rows of both.
fn flat(
    (left, right): (&[u64], &[u64]),
    out: &mut [u64],
    (m, k, n): (usize, usize, usize),
    (threads, kernels): (usize, Kernels),
) {
    let rows = parallel::share(k, 1, threads);
    let sums = Mutex::new(out);
    parallel::each(left.chunks(rows * m).zip(right.chunks(rows * n)), |(left, right)| {
        let part = flat_part(left, right, (m, n), kernels);
        let mut sums = sums.lock().unwrap_or_else(PoisonError::into_inner);
        sums.iter_mut().zip(part).for_each(|(sum, part)| *sum = sum.wrapping_add(part));
    });
}

/// One thread's part: multiples of the rows of a, some at a time, so that they are read once.
fn flat_part(a: &[u64], b: &[u64], (m, n): (usize, usize), kernels: Kernels) -> Vec<u64> {
    let mut sums = vec![0; n * m];
    let together = (TOGETHER / m).max(1);
    for (a, b) in a.chunks(together * m).zip(b.chunks(together * n)) {
        let factors = transpose(b, n);
        (kernels.axpys)(&factors, a, &mut sums, (a.len() / m, m));
    }
    sums
}

/// The left operand of a tile: some of its rows, or the transpose of columns from `first` on.
#[derive(Clone, Copy)]
enum Left<'a> {
    Rows(&'a [u64]),
    Columns { a: &'a [u64], m: usize, first: usize },
}

impl Left<'_> {
    /// Asks for what comes from column `top` on: the next block, if it lies in one run.
    fn prefetch(self, top: usize) {
        if let Self::Columns { a, m, .. } = self {
            let rest = a.get(top * m..).unwrap_or_default();
            simd::prefetch(simd::bytes_of(&rest[..rest.len().min(DEPTH * m.min(WIDE))]));
        }
    }

    /// Copies columns `top..top + strip.len()` of rows `from..from + count`, zeros below.
    fn copy(
        self,
        (from, count): (usize, usize),
        (k, top): (usize, usize),
        strip: &mut [[u64; ROWS]],
    ) {
        match self {
            Self::Rows(a) => copy_rows(&a[from * k..(from + count) * k], k, top, strip),
            Self::Columns { a, m, first } => {
                let rows = a[top * m..].chunks(m).map(|row| &row[first + from..]);
                for (line, row) in strip.iter_mut().zip(rows) {
                    if let (ROWS, Some(words)) = (count, row.first_chunk()) {
                        *line = *words;
                        continue;
                    }
                    line[..count].copy_from_slice(&row[..count]);
                    line[count..].fill(0);
                }
            }
        }
    }
}

fn wide_part(left: Left<'_>, b: &[u64], out: &mut [u64], (k, n): (usize, usize), kernels: Kernels) {
    let mut rows = vec![[0; ROWS]; DEPTH.min(k)];
    let mut right = vec![[0; COLS]; DEPTH.min(k) * STRIPS.min(n.div_ceil(COLS))];
    for first in (0..n).step_by(STRIPS * COLS) {
        let strips = (n - first).div_ceil(COLS).min(STRIPS);
        for top in (0..k).step_by(DEPTH) {
            let depth = (k - top).min(DEPTH);
            let (rows, right) = (&mut rows[..depth], &mut right[..strips * depth]);
            left.prefetch(top + depth);
            for (strip, copy) in right.chunks_exact_mut(depth).enumerate() {
                copy_columns(&b[top * n..(top + depth) * n], n, first + strip * COLS, copy);
            }
            for (block, out) in out.chunks_mut(ROWS * n).enumerate() {
                left.copy((block * ROWS, out.len() / n), (k, top), rows);
                for (strip, right) in right.chunks_exact(depth).enumerate() {
                    add_tile(&(kernels.tile)(rows, right), out, n, first + strip * COLS);
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
///
/// A line at a time: the processor then sees one stream, and asks for it in time.
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
