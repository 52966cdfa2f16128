"""Time and memory against size: multiply and x < 0 of 10⁴ … 10⁷ elements, each in new processes.

Memory is the most that a party's process held over what it held before it had its operands, as the
system counts it; the operands are 8 bytes an element each. Two parties and a dealer over plain TCP.
"""

import ctypes
import json
import statistics
import sys
from multiprocessing import get_context
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent / "peers"))

import own
from work import WIDE, Work, multiply, negative, of, uniform

SIZES = (10_000, 100_000, 1_000_000, 10_000_000)
REPEATS = 3


def works(size):
    """The works of one size, with the bytes of their operands."""
    x, y = uniform(8, size), uniform(8, size)
    wide = uniform(WIDE / 2, size)
    return (
        (Work("multiply", "", f"{size}", multiply, of(x=x, y=y), size), 16 * size),
        (Work("x < 0, 64 bits", "", f"{size}", negative, of(x=wide), size), 8 * size),
    )


def held(field):
    """A figure of this process's memory, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (line,) = (line for line in lines if line.startswith(field))
    return 1024 * int(line.split()[1])


def party(me, work, lines, pipe):
    """Runs the work when told to; tells its times, and at last how much memory it took."""
    before = held("VmRSS")
    mine = own.Party(me, work, lines, False)
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    pipe.send(None)
    while pipe.recv() is not None:
        _, times = mine.run(False)
        pipe.send((times, 0, 0, 0))
    mine.source.finish()
    pipe.send(held("VmHWM") - before)


def measure():
    """One row for each work and size."""
    return {"rows": [row(*each) for size in SIZES for each in works(size)]}


def row(work, operands):
    """Seconds, and the memory of the party that took more."""
    context = get_context("spawn")
    between, first, second = own.connected(), own.connected(), own.connected()
    pipes = [context.Pipe() for _ in range(2)]
    ends, context = [near for near, _ in pipes], get_context("fork")
    processes = [
        context.Process(target=party, args=(0, work, [between[0], first[0]], pipes[0][1])),
        context.Process(target=party, args=(1, work, [between[1], second[0]], pipes[1][1])),
        context.Process(target=own.dealer, args=([first[1], second[1]], False)),
    ]
    for process in processes:
        process.start()
    for end in ends:
        end.recv()
    seconds = [own.turn(ends, True)[2] for _ in range(REPEATS + 1)][1:]
    for end in ends:
        end.send(None)
    memory = max(end.recv() for end in ends)
    for process in processes:
        process.join()
    return {
        "work": work.name,
        "elements": work.elements,
        "seconds": statistics.median(seconds),
        "operands": operands,
        "memory": memory,
    }


if __name__ == "__main__":
    np.set_printoptions(precision=3)
    json.dump(measure(), sys.stdout, indent=1)
