"""Time and memory against size: multiply and x < 0 of 10⁴ … 10⁷ elements, each in new processes.

Memory is the most that a party's process held, as the system counts it, less what its program takes
at rest: its operands, of 8 bytes an element each, are part of it. Two parties and a dealer over
plain TCP.
"""

import json
import statistics
import sys
from dataclasses import dataclass, replace
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


@dataclass(frozen=True)
class Pair:
    """Both parties' shares of an operand."""

    shares: tuple

    @property
    def shape(self):
        return self.shares[0].shape


def shared(work):
    """The work with shares for operands, so that a party's process need not make them."""
    compiled, pairs = own.compiled(work), {}
    for name, data in work.plain().items():
        words = own.encoded(compiled, name, data)
        mask = np.random.default_rng(8).integers(0, 1 << 64, words.shape, np.uint64)
        pairs[name] = Pair((mask, words - mask))
    return replace(work, arguments=lambda rng: pairs)


class Party(own.Party):
    """A party whose shares are there already."""

    def _share(self, name, data):
        return data.shares[self.me]


def party(me, work, lines, pipe):
    """Runs the work when told to; tells its times, and at last how much memory it took."""
    mine = Party(me, work, lines, False)
    at_rest = held("VmRSS") - sum(words.nbytes for words in mine.held.values())
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    pipe.send(None)
    while pipe.recv() is not None:
        _, times = mine.run(False)
        pipe.send((times, 0, 0, 0))
    mine.source.finish()
    pipe.send(held("VmHWM") - at_rest)


def measure():
    """One row for each work and size."""
    return {"rows": [row(*each) for size in SIZES for each in works(size)]}


def row(work, operands):
    """Seconds, and the memory of the party that took more."""
    context, work = get_context("spawn"), shared(work)
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
