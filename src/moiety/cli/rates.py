"""A machine's rates from timed samples: the model that predicts plans, fitted to what they took."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields, replace

import numpy as np
from scipy.optimize import nnls

from moiety.cli import samples
from moiety.cli.arena import Arena, Timed
from moiety.cli.load import Wanted
from moiety.function.function import Compiled
from moiety.lang.cost import Work
from moiety.lang.primitive import Array
from moiety.lang.types import BIT
from moiety.plan.explain import effort
from moiety.plan.network import Machine, Network
from moiety.run import twin


@dataclass(frozen=True)
class Sample:
    """A secure function of `samples`, its shapes, and ways that it must take.

    `clocked`: its time is waited for, not computed, so the clock measures it: the lower quartile of
    its rounds. Else the processor does, whose seconds other work on the machine disturbs less.
    """

    name: str
    function: str
    shapes: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    force: tuple[str, ...] = ()
    clocked: bool = False

    @property
    def wanted(self) -> Wanted:
        """What a party's process compiles."""
        place = f"{samples.__file__}:{self.function}"
        return Wanted(place, self.shapes, self.arguments, force=self.force)


SAMPLES = (
    Sample("40 products in a chain", "chain", ("x=1",), ("depth=40",), clocked=True),
    Sample("10 products in a chain", "chain", ("x=1",), ("depth=10",), clocked=True),
    Sample("40 products side by side", "beside", ("x=1",), ("width=40",)),
    Sample("100,000 products", "product", ("x=100000", "y=100000")),
    Sample("400,000 products", "product", ("x=400000", "y=400000")),
    Sample(
        "100,000 comparisons, digits of 4", "less", ("x=100000", "y=100000"), force=("of 4 bits",)
    ),
    Sample("50,000 comparisons, digits of 6", "less", ("x=50000", "y=50000"), force=("of 6 bits",)),
    Sample("5,000 comparisons by DPF", "less", ("x=5000", "y=5000"), force=("DPF",)),
    Sample("20,000 comparisons by DPF", "less", ("x=20000", "y=20000"), force=("DPF",)),
    Sample("shared matrices, 256", "matmul", ("x=256,256", "y=256,256")),
    Sample("shared matrices, 400", "matmul", ("x=400,400", "y=400,400")),
    Sample("an owned table, 1000 × 400 by 40", "owned", ("x=1000,400", "y=400,40")),
    Sample("20,000 sums of 5 sines", "curve", ("x=20000",), force=("5 sines",)),
    Sample("10,000 sums of 16 sines", "curve", ("x=10000",), force=("16 sines",)),
    Sample("200 tables of 2048", "curve", ("x=200",), force=("table of 2048",)),
    Sample("2,000 tables of 64 lines", "curve", ("x=2000",), force=("table of 64 lines",)),
)


@dataclass(frozen=True)
class Row:
    """A sample's work, the seconds that its messages take, and the seconds that it took."""

    name: str
    work: Work
    link: float
    seconds: float
    processor: float
    clocked: bool

    def predicted(self, machine: Machine) -> float:
        """What the model says that it takes on a machine."""
        return machine.seconds(self.work) + self.link

    @property
    def measured(self) -> float:
        """What the model is fitted to."""
        return self.seconds if self.clocked else self.processor


def measured(arena: Arena, sample: Sample, network: Network, repeats: int) -> Row:
    """The best of several runs after a first one, between processes."""
    wanted = sample.wanted
    compiled = wanted.compiled()
    arena.order(wanted, compiled, twin.split(compiled.plan, zeros(compiled)))
    timed = [arena.timed(compiled) for _ in range(repeats + 1)][1:]
    cost = compiled.plan.cost
    moved = max(cost.link(0, 1), cost.link(1, 0)) + cost.dealt
    return Row(
        sample.name,
        replace(effort(compiled.plan), round=len(cost.rounds)),
        len(cost.rounds) * network.latency + moved / network.bandwidth,
        _undisturbed(timed) if sample.clocked else min(one.seconds for one in timed),
        min(one.processor for one in timed),
        sample.clocked,
    )


def _undisturbed(timed: Sequence[Timed]) -> float:
    """The seconds of a run in which each level takes as long as those of the quickest quarter."""
    levels = sorted(took.seconds for one in timed for took in one.ran.levels[0])
    count = len(timed[0].ran.levels[0])
    return min(one.seconds - one.ran.seconds for one in timed) + count * levels[len(levels) // 4]


def zeros(compiled: Compiled) -> dict[str, Array]:
    """Inputs for a run whose time alone matters: it does not depend on them."""
    return {
        name: np.zeros(type.shape, np.uint8 if type.kind == BIT else np.uint64)
        for name, type in compiled.plan.inputs.items()
    }


def fitted(rows: Sequence[Row]) -> Machine:
    """The machine with the least squared relative errors over all rows; no rate is negative."""
    counts = np.array([astuple(row.work) for row in rows], np.float64)
    computed = np.array([max(row.measured - row.link * row.clocked, 1e-9) for row in rows])
    scale = counts.max(axis=0)
    scale[scale == 0] = 1.0
    # relative errors of comparable columns: rates span six powers of ten
    rates, _ = nnls(counts / scale / computed[:, np.newaxis], np.ones(len(rows)))
    names = [one.name for one in fields(Machine)]
    return Machine(**dict(zip(names, (rates / scale).tolist(), strict=True)))
