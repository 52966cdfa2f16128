"""What workers compute together: sums, gathers, broadcasts, over attested channels.

Every worker calls the same collectives in the same order with the same sizes; a frame of another
kind or size ends the job with a sentence. Messages go directly between every two workers: in a
reduce-scatter a worker sends (n - 1) / n of its data, the least possible (Thakur, Rabenseifner and
Gropp 2005, §3), and whoever called adds what comes, in an order of its choice.

The network sees sizes, times and who talks to whom; each worker sees what the others' parts are.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from moiety.enclave.mesh import Mesh
from moiety.errors import PeerMisbehaved
from moiety.wire.frame import Buffer, Kind

PATIENCE = 600.0
"""Seconds that a peer may take for its part, as long as it shows signs of life."""
SMALL = 1 << 16
"""Bytes to all peers that the system takes at once: then all are sent before any is received."""

Floats = npt.NDArray[np.float64]
Combine = Callable[[list[Buffer]], Buffer]
"""Makes one block of the blocks of all workers, in the order of ranks; it may overwrite the own."""


class Collectives:
    """The collectives of one worker; all of them wait for all workers."""

    def __init__(self, mesh: Mesh, *, patience: float = PATIENCE) -> None:
        self.rank, self.size, self.watch = mesh.rank, mesh.size, mesh.watch
        self._channels = mesh.channels
        self._patience = patience

    def exchange(self, parts: Sequence[Buffer], due: Sequence[int]) -> list[Buffer]:
        """What each worker had for this one, `due` bytes each; `parts` are what this one has.

        By ranks; one's own part comes back as it is.
        """
        came = list(parts)
        early = sum(len(part) for part in parts) - len(parts[self.rank]) <= SMALL
        if early:
            for peer in self._turns():
                if parts[peer]:
                    self._channels[peer].send(Kind.TICK, parts[peer])
        for peer in self._turns():
            channel = self._channels[peer]
            with self.watch.within(self._patience, channel.peer):
                came[peer] = channel.tick(b"" if early else parts[peer], due[peer])
        return came

    def reduce_scatter(self, parts: Sequence[Buffer], combine: Combine) -> Buffer:
        """The combination of all workers' parts for this one, all of the size of its own part."""
        return combine(self.exchange(parts, [len(parts[self.rank])] * self.size))

    def allgather(self, part: Buffer, due: Sequence[int]) -> list[Buffer]:
        """Every worker's part, by ranks, of `due` bytes each."""
        return self.exchange([part] * self.size, due)

    def allreduce(self, values: npt.ArrayLike) -> Floats:
        """The sum of all workers' arrays of one shape, added in the order of ranks.

        The same bits at every worker, and on every run.
        """
        whole = np.array(values, np.float64, order="C")
        pieces = np.array_split(whole.reshape(-1), self.size)
        due = [piece.nbytes for piece in pieces]
        own = self.reduce_scatter([piece.data.cast("B") for piece in pieces], _sum)
        return np.frombuffer(b"".join(self.allgather(own, due)), np.float64).reshape(whole.shape)

    def broadcast(self, payload: bytes, root: int, limit: int) -> bytes:
        """The payload of the worker of rank `root`, of at most `limit` bytes; others' count not."""
        if self.rank == root:
            for peer in self._turns():
                self._channels[peer].send(Kind.TICK, payload)
            return payload
        channel = self._channels[root]
        with self.watch.within(self._patience, channel.peer):
            return channel.receive(Kind.TICK, limit)

    def barrier(self) -> None:
        """Returns when every worker has come here."""
        self.allgather(b"\0", [1] * self.size)

    def agree(self, digest: bytes, what: str) -> None:
        """Returns when all workers have the same digest; PeerMisbehaved names those who differ."""
        theirs = self.allgather(digest, [len(digest)] * self.size)
        others = [self._channels[peer].peer for peer in self._turns() if theirs[peer] != digest]
        if others:
            raise PeerMisbehaved(
                f"{', '.join(others)} has another {what} than this worker",
                hint="all workers run one version, on one kind of processor, with one plan",
            )

    def _turns(self) -> Iterator[int]:
        """The peers in an order in which two workers always turn to each other."""
        for turn in range(self.size):
            peer = (turn - self.rank) % self.size
            if peer != self.rank:
                yield peer


def _sum(parts: list[Buffer]) -> bytes:
    total = np.frombuffer(parts[0], np.float64).copy()
    for part in parts[1:]:
        total += np.frombuffer(part, np.float64)
    return total.tobytes()
