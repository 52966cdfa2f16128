"""The compiled kernels' memory accesses, recorded by Valgrind: the same for all data of a shape.

A trace is the address of every instruction, load and store of the process, from where the program
begins (the loader before it reads random bytes) to its end; what was read from standard input
differs, and nothing else. Valgrind gives a process the same addresses each time. What leaks on
purpose must be found out.

Of the library itself, on this processor and by what its kernels choose for it, only the addresses
of instructions are recorded, step by step: its branches, not its loads and stores.
"""

import hashlib
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from step_kit import check_machine, steps

pytestmark = pytest.mark.jobs
ROOT = Path(__file__).parents[1]
PROGRAM = b"I  001"
"""An instruction in the second megabyte, where Valgrind puts the program; the loader is above."""
ROWS, OTHERS, COUNTS, NODES, LEAVES, ID, WIDTH = 75, 50, (8, 7, 6), 6, 8, 8, 5

TRIES = 3
"""A busy machine may make one run take a step more; what depends on data differs each time."""


@pytest.fixture(scope="module")
def program():
    """The kernels' small program, compiled as the library is."""
    for tool in ("valgrind", "cargo"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed: no memory trace is recorded")
    build = ["cargo", "build", "--release", "--quiet", "--locked", "-p", "moiety-core"]
    subprocess.run([*build, "--example", "memory_trace"], cwd=ROOT, check=True, timeout=600)
    return ROOT / "target" / "release" / "examples" / "memory_trace"


def trace(program, kernel, data):
    """Instructions and accesses of one run: how many, and a hash of them all in order."""
    command = [shutil.which("valgrind"), "--tool=lackey", "--trace-mem=yes", "--log-fd=1"]
    command += [program, *kernel.split()]
    done = subprocess.run(
        command, input=data, env={}, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout[-500:] + done.stderr
    lines = [line for line in done.stdout.splitlines() if not line.startswith(b"==")]
    begin = next(at for at, line in enumerate(lines) if line.startswith(PROGRAM))
    lines = lines[begin:]
    assert len(lines) > 10_000 and {line[:2] for line in lines} == {b"I ", b" L", b" S", b" M"}
    return len(lines), hashlib.sha256(b"\n".join(lines)).hexdigest()


def rows(seed):
    """Codes and outcomes; as different as seeds are, and one set of rows that are all alike."""
    rng = np.random.default_rng(seed)
    codes = [rng.integers(0, count, ROWS) if seed else np.full(ROWS, 1) for count in COUNTS]
    label = rng.integers(0, 2, ROWS) if seed else np.arange(ROWS) == 3
    return b"".join(column.astype(np.uint8).tobytes() for column in (*codes, label))


def forest(seed):
    """Codes, nodes and leaves."""
    rng = np.random.default_rng(seed)
    nodes = np.stack([rng.integers(0, most, NODES) for most in (3, 8, 2)], axis=-1)
    return rows(seed)[: ROWS * 3] + nodes.astype(np.uint8).tobytes() + rng.bytes(LEAVES)


def tables(seed):
    """A key and two tables, which share none, some, or all of the ids of the smaller."""
    rng = np.random.default_rng(seed)
    shared = (0, 20, OTHERS)[seed % 3]
    ids = rng.permutation(2**20)[: ROWS + OTHERS].astype("<u8")
    second = np.concatenate([rng.permutation(ids[:ROWS])[:shared], ids[ROWS + shared :]])
    sides = [one.tobytes() + rng.bytes(len(one) * WIDTH) for one in (ids[:ROWS], second)]
    return rng.bytes(32) + b"".join(sides)


KERNELS = {"grow": rows, "score": forest, "join": tables}


@pytest.mark.parametrize("kernel", [*KERNELS, "grow portable", "score portable"])
def test_a_kernels_trace_is_the_same_for_other_data(program, kernel):
    data = KERNELS[kernel.split()[0]]
    traces = {trace(program, kernel, data(seed)) for seed in range(3)}
    assert len(traces) == 1


@pytest.mark.parametrize("kernel", ["planted", "branching"])
def test_a_planted_leak_is_found(program, kernel):
    first, second = (trace(program, kernel, rows(seed)) for seed in (1, 2))
    assert first != second


def test_the_program_refuses_what_it_does_not_know(program):
    done = subprocess.run([program, "other"], input=b"", capture_output=True, check=False)
    assert done.returncode == 1 and b"one of grow" in done.stderr


@pytest.mark.parametrize("kernel", ["grow", "score", "join"])
def test_the_library_itself_takes_the_same_instructions_for_other_data(kernel):
    check_machine()
    pairs = []
    for _ in range(TRIES):
        pairs.append((steps(kernel, 1), steps(kernel, 2)))
        if pairs[-1][0] == pairs[-1][1]:
            break
    assert pairs[-1][0] == pairs[-1][1] and pairs[-1][0][0] > 10_000, pairs


def test_a_choice_by_code_is_found_in_the_same_way():
    check_machine()
    assert steps("planted", 1) == steps("planted", 1) != steps("planted", 2)
