"""What time a message and a computation take: networks, and a machine's kernels."""

import re
from dataclasses import dataclass

from moiety.errors import UsageError


@dataclass(frozen=True)
class Network:
    """A link between two parties: seconds one way, and bytes per second in each direction."""

    name: str
    latency: float
    bandwidth: float

    def __str__(self) -> str:
        megabits = self.bandwidth * 8 / 1e6
        return f"{self.name} ({1e3 * self.latency:g} ms one way, {megabits:g} Mbit/s)"


@dataclass(frozen=True)
class Machine:
    """Seconds of kernel work of one party: per byte online, per dealt byte, per multiply-add."""

    online: float = 1.2e-9
    dealt: float = 1.0e-9
    product: float = 1.6e-10


NETWORKS = {
    "lan": Network("lan", 1e-4, 10e9 / 8),
    "wan": Network("wan", 2e-2, 100e6 / 8),
    "mobile": Network("mobile", 5e-2, 20e6 / 8),
}


MACHINE = Machine()


def network(name: str | Network) -> Network:
    """The network of this name, or "20ms,100Mbit" as measured; a Network is passed through."""
    if isinstance(name, Network):
        return name
    measured = re.fullmatch(r"([\d.]+)ms,([\d.]+)Mbit", name)
    if measured:
        latency, megabits = map(float, measured.groups())
        return Network("measured", latency / 1e3, megabits * 1e6 / 8)
    if name not in NETWORKS:
        raise UsageError(
            f"there is no network profile {name!r}",
            hint="use lan, wan, mobile, or a measured 20ms,100Mbit",
        )
    return NETWORKS[name]
