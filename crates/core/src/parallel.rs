//! Work spread over threads: parts that do not meet, so results do not depend on how many.

/// Runs every part, the first on this thread and each other on one of its own.
pub(crate) fn each<T: Send>(parts: impl IntoIterator<Item = T>, run: impl Fn(T) + Sync) {
    let mut parts = parts.into_iter().peekable();
    let (own, run) = (parts.next(), &run);
    if parts.peek().is_none() {
        return own.map_or((), run);
    }
    std::thread::scope(|scope| {
        for part in parts {
            scope.spawn(move || run(part));
        }
        if let Some(own) = own {
            run(own);
        }
    });
}

/// Elements of each of at most `threads` parts of `count`: a multiple of `unit`, at least one.
pub(crate) fn share(count: usize, unit: usize, threads: usize) -> usize {
    count.div_ceil(threads.max(1)).next_multiple_of(unit).max(unit)
}

/// The parts of rows of `width` elements, `span` columns each: every row's, in order.
pub(crate) fn columns<T>(
    rows: &mut [T],
    width: usize,
    span: usize,
) -> impl Iterator<Item = Vec<&mut [T]>> {
    let mut parts: Vec<Vec<_>> = Vec::new();
    parts.resize_with(width.div_ceil(span), Vec::new);
    for row in rows.chunks_mut(width.max(1)) {
        for (part, columns) in parts.iter_mut().zip(row.chunks_mut(span)) {
            part.push(columns);
        }
    }
    parts.into_iter()
}
