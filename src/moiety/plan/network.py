"""What time a message and a computation take: networks, and a machine's kernels."""

import math
import re
from dataclasses import dataclass, fields

from moiety.errors import UsageError
from moiety.lang.cost import Work


@dataclass(frozen=True)
class Network:
    """A link between two parties: seconds one way, and bytes per second in each direction."""

    name: str
    latency: float
    bandwidth: float

    def __post_init__(self) -> None:
        sound = math.isfinite(self.latency) and math.isfinite(self.bandwidth)
        if not sound or self.latency < 0 or self.bandwidth <= 0:
            raise UsageError(
                f"a network of {self.latency} s one way and {self.bandwidth} bytes per second",
                hint="give a latency of at least 0 and a bandwidth above 0",
            )

    def __str__(self) -> str:
        megabits = self.bandwidth * 8 / 1e6
        return f"{self.name} ({1e3 * self.latency:g} ms one way, {megabits:g} Mbit/s)"


@dataclass(frozen=True)
class Machine:
    """Seconds for one of each kind of work, as `moiety calibrate` measures them.

    A round counts beside what the network takes for it.
    """

    product: float = 8e-11
    hash: float = 7e-9
    wave: float = 6e-9
    entry: float = 0.0
    online: float = 2.7e-9
    dealt: float = 2.1e-9
    step: float = 1.8e-5
    round: float = 6e-5

    def __post_init__(self) -> None:
        wrong = [one.name for one in fields(self) if not 0 <= getattr(self, one.name) < math.inf]
        if wrong:
            raise UsageError(
                f"a machine whose {wrong[0]} takes {getattr(self, wrong[0])} s",
                hint="times are numbers of seconds, at least 0",
            )

    def seconds(self, work: Work) -> float:
        """The time of all of it."""
        pairs = zip(vars(self).values(), vars(work).values(), strict=True)
        return math.fsum(rate * count for rate, count in pairs)


NETWORKS = {
    "lan": Network("lan", 1e-4, 10e9 / 8),
    "wan": Network("wan", 2e-2, 100e6 / 8),
    "mobile": Network("mobile", 5e-2, 20e6 / 8),
}


MACHINE = Machine()


@dataclass(frozen=True)
class Setting:
    """Where and how a plan is to run: trust, network, machine, and names of what it must take."""

    profile: str
    network: Network = NETWORKS["lan"]
    machine: Machine = MACHINE
    force: tuple[str, ...] = ()

    def forces(self, name: str) -> bool:
        """True where a way or an expansion of this name was asked for."""
        return any(one.lower() in name.lower() for one in self.force)


def network(name: str | Network) -> Network:
    """The network of this name, or "20ms,100Mbit" as measured; a Network is passed through."""
    if isinstance(name, Network):
        return name
    measured = re.fullmatch(r"(\d+\.?\d*)ms,(\d+\.?\d*)Mbit", name)
    if measured:
        latency, megabits = map(float, measured.groups())
        return Network("measured", latency / 1e3, megabits * 1e6 / 8)
    if name not in NETWORKS:
        raise UsageError(
            f"there is no network profile {name!r}",
            hint="use lan, wan, mobile, or a measured 20ms,100Mbit",
        )
    return NETWORKS[name]
