"""Speed of the Rust kernels: one row a kernel and size, best and median of several repeats.

    python benches/bench_core.py [--json] [--whole]

`--whole` adds two processes that blind and evaluate 100,000 items each at the same time, the group
work of an intersection of two tables of that size.
"""

import argparse
import json
import platform
import statistics
import time
from functools import partial
from multiprocessing import get_context

import numpy as np

from moiety import _core
from moiety.protocols.additive import PIECE, Triple
from moiety.protocols.comparison import SignMask
from moiety.protocols.dpf import PrefixMask
from moiety.ring import Stream

REPEATS = 7
ITEMS = 2_000
WHOLE = 100_000


def measure(work):
    """Best and median seconds."""
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds), statistics.median(seconds)


def words(*shape):
    out = np.empty(8 * int(np.prod(shape)), np.uint8)
    _core.stream(bytes(16), 0, 0, out)
    return out.view(np.uint64).reshape(shape)


def products():
    for m, k, n, threads in [
        (1000, 1000, 1000, 1),
        (1000, 1000, 1000, 2),
        (300, 300, 300, 1),
        (1000, 100, 8, 1),
        (100_000, 100, 1, 1),
        (1000, 100, 1, 1),
        (65, 30, 1, 1),
    ]:
        a, b, e = words(m, k), words(k, n), words(m, n)
        size = f"({m}×{k})·({k}×{n}), {threads} thread{'s' * (threads > 1)}"
        for name, work in (
            ("matmul", partial(_core.matmul_u64, a, b, threads)),
            ("transposed matmul", partial(_core.matmul_u64, a, e, threads, transposed=True)),
        ):
            yield name, size, *(m * k * n / seconds / 1e9 for seconds in measure(work)), "GMAC/s"


def streams():
    for size in (1 << 10, 1 << 16, 1 << 20, 1 << 26):
        out = np.zeros(size, np.uint8)
        best, median = measure(lambda out=out: _core.stream(bytes(16), 1, 0, out))
        yield "stream", f"{size:,} B", size / best / 1e9, size / median / 1e9, "GB/s"


def packing():
    x = words(1_000_000)
    for bits in (7, 24, 64):
        packed = _core.pack_words(x, bits)
        pack = measure(lambda bits=bits: _core.pack_words(x, bits))
        unpack = measure(lambda bits=bits, p=packed: _core.unpack_words(p, len(x), bits))
        for name, seconds in (("pack", pack), ("unpack", unpack)):
            best, median = (1e9 * t / len(x) for t in seconds)
            yield name, f"10^6 words of {bits} bits", best, median, "ns/word"


def reals():
    """A table of reals, encoded, and masked or multiplied without its words in memory."""
    x = np.random.default_rng(1).uniform(-1, 1, (100_000, 100))
    flat, part = x.reshape(-1), Stream(bytes(16), 0).part([(64 * x.size, False)])
    mask = partial(_core.mask_reals, flat, 18, part, 0, 64)
    for name, work in (
        ("check reals", partial(_core.reals_inside, flat, -1.0, 1.0)),
        ("encode", partial(_core.encode_words, flat, 18)),
        ("mask reals", lambda: [mask(at, PIECE) for at in range(0, x.size, PIECE)]),
        ("multiply reals", partial(_core.multiply_reals, x, 18, words(100))),
    ):
        yield name, "10^7 reals", *(1e9 * t / x.size for t in measure(work)), "ns/element"


def ticks():
    """One party's work in each tick at 10^6 elements, and the dealer's."""
    n, x, keys = 1_000_000, words(1_000_000), (bytes(16), bytes(range(16)))
    triple, sign = Triple(n), SignMask(n, 64)
    for correlation in (triple, sign, SignMask(n, 24)):
        work = partial(lambda c: c.deal((Stream(keys[0], 0), Stream(keys[1], 0))), correlation)
        yield "deal", str(correlation)[:36], *(1e9 * t / n for t in measure(work)), "ns/element"
    part = triple.take(0, Stream(keys[0], 0), b"").packed
    own = _core.mask_words([x, x], part, 0, 64, subtract=True)
    compared = sign.take(0, Stream(keys[0], 0), b"").packed
    opened, shape = _core.mask_words([x], compared, 0, 64), (n, 64, 63, 4)
    for name, work in (
        ("mask", lambda: _core.mask_words([x, x], part, 0, 64, subtract=True)),
        ("multiply", lambda: _core.multiply_words(own, own, part, n, 64, True)),
        ("look up", lambda: _core.look_up(opened, opened, compared, 2, shape, True)),
    ):
        yield name, "10^6 elements, 64 bits", *(1e9 * t / n for t in measure(work)), "ns/element"


def point_functions():
    """Keys dealt, and walked at one public point and at seven, a second."""
    keys = bytes(16), bytes(range(16))
    for n, ring in ((200_000, 64), (1_000_000, 25), (1_000, 64)):
        mask, message = PrefixMask(n, ring), bytes(-(-n * ring // 8))
        deal = partial(lambda m: m.deal((Stream(keys[0], 0), Stream(keys[1], 0))), mask)
        part = mask.take(1, Stream(keys[1], 0), deal()).packed
        rows = [("deal keys", deal)]
        for points in (1, 7):
            arguments = message, message, part, 4, (n, ring), np.arange(points, dtype=np.uint64)
            rows.append((f"walk to {points}", partial(_core.prefix_signs, *arguments, False)))
        for name, work in rows:
            speeds = (n / seconds / 1e6 for seconds in measure(work))
            yield name, f"{n:,} keys of {ring - 1} bits", *speeds, "M/s"


def flow():
    """What an enclave runs in constant flow: trees grown and walked, and tables joined."""
    rows, counts, shape = 24_000, (64,) * 23, (20, 3, 0.3, 20)
    codes = (words(23, rows) % 64).astype(np.uint8)
    labels, size = (codes[0] > 40).astype(np.uint8), f"{rows:,} × 23 of 64 bins, 20 trees"
    columns = counts, (False,) * 23
    nodes, leaves = _core.grow_trees(codes, labels, columns, shape)
    for name, work in (
        ("grow trees", lambda: _core.grow_trees(codes, labels, columns, shape)),
        ("walk trees", lambda: _core.score_trees(codes, columns, nodes, leaves)),
    ):
        yield name, size, *(1e3 * seconds for seconds in measure(work)), "ms"
    ids = np.arange(WHOLE * 2, dtype="<u8").view(np.uint8).reshape(-1, 8)
    tables = [
        (part, np.zeros((WHOLE, 24), np.uint8)) for part in (ids[:WHOLE], ids[50_000:150_000])
    ]
    best, median = measure(lambda: _core.join_rows(bytes(32), tables))
    yield "join", f"{WHOLE:,} + {WHOLE:,} rows of 24 B", 1e3 * best, 1e3 * median, "ms"


def group():
    key = _core.PsiKey.random()
    items = [f"person {i}".encode() for i in range(ITEMS)]
    points = key.blind(items, b"bench")
    for name, work in (
        ("blind", lambda: key.blind(items, b"bench")),
        ("evaluate", lambda: key.evaluate(points)),
    ):
        yield name, f"{ITEMS:,} items", *(t / ITEMS * 1e6 for t in measure(work)), "µs/item"


def one_party(barrier):
    key = _core.PsiKey.random()
    items = [f"person {i}".encode() for i in range(WHOLE)]
    barrier.wait()
    key.evaluate(key.blind(items, b"bench"))


def whole():
    context = get_context("fork")
    barrier = context.Barrier(3)
    parties = [context.Process(target=one_party, args=(barrier,)) for _ in range(2)]
    for party in parties:
        party.start()
    barrier.wait()
    start = time.perf_counter()
    for party in parties:
        party.join()
    seconds = time.perf_counter() - start
    yield "blind + evaluate", f"{WHOLE:,} items, two processes at once", seconds, seconds, "s"


def machine():
    lines = open("/proc/cpuinfo").read().splitlines() if platform.system() == "Linux" else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    name = f"{len(models)} × {models[0]}" if models else platform.processor()
    return {"processor": name, "paths": _core.cpu_features(), "repeats": REPEATS}


def main():
    parser = argparse.ArgumentParser(description="Speed of the Rust kernels")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--whole", action="store_true", help="add two whole parties at once")
    arguments = parser.parse_args()
    _core.keep_memory()
    kinds = [
        products,
        streams,
        packing,
        reals,
        ticks,
        point_functions,
        flow,
        group,
        *([whole] if arguments.whole else []),
    ]
    rows = [row for kind in kinds for row in kind()]
    if arguments.json:
        keys = ("kernel", "size", "best", "median", "unit")
        rows = [dict(zip(keys, row, strict=True)) for row in rows]
        print(json.dumps({"machine": machine(), "rows": rows}, indent=1, ensure_ascii=False))
        return
    print(*(f"{key}: {value}" for key, value in machine().items()), sep="\n")
    for kernel, size, best, median, unit in rows:
        print(f"{kernel:17} {size:36} {best:9.2f} best {median:9.2f} median {unit}")


if __name__ == "__main__":
    main()
