"""A connection between every two workers of a roster, attested both ways.

A worker calls those of lower rank and is called by those of higher: nobody waits in a circle. Both
ends of a connection pin the certificate in the roster, then exchange evidence bound to the channel.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from moiety.enclave.guard import Guard
from moiety.enclave.peering import Side, attest_both_ways
from moiety.enclave.roster import Roster
from moiety.errors import ConfigError, PeerError, PolicyRefused, told
from moiety.wire.certificates import Credentials, fingerprint, short
from moiety.wire.channel import Channel
from moiety.wire.tls import Listener, Options, connect, listen

DEADLINE = 600.0
"""Seconds for all workers to be there."""
INTRODUCTION = 15.0
"""Seconds for a worker that is there to attest, and to judge our evidence."""


@dataclass(frozen=True)
class Mesh:
    """One worker's rank, its channels by the other's rank, and the watch over them."""

    rank: int
    channels: dict[int, Channel]
    watch: Guard
    production: bool
    """False where any worker, this one included, is a simulation."""

    @property
    def size(self) -> int:
        """The number of workers."""
        return len(self.channels) + 1


@dataclass(frozen=True)
class Door:
    """How a worker comes to its peers: its certificate, the watch over all channels, an address.

    `listen_on` is where it listens, if not at its address in the roster. `progress` gets a sentence
    about who is awaited, or a stranger turned away.
    """

    credentials: Credentials
    watch: Guard
    listen_on: str = ""
    progress: Callable[[str], None] = lambda _: None


def meet(roster: Roster, side: Side, door: Door) -> Mesh:
    """The mesh, once this worker and all others have accepted each other.

    Strangers are turned away; a pinned worker that is not acceptable ends the meeting.

    Raises:
        ConfigError: this worker's certificate is not the one in the roster.
        AttestationFailed, PolicyRefused: a worker's evidence, roster or version is refused.
        PeerLost: a worker is gone, or not there within DEADLINE seconds.
    """
    rank, own = roster.rank(side.name), roster.workers[roster.rank(side.name)]
    _check_own(own.certificate, fingerprint(door.credentials.certificate), side.name)
    channels, production = {}, side.attester.production
    for channel in _peers(roster, rank, door):
        try:
            with door.watch.within(INTRODUCTION, channel.peer):
                accepted = attest_both_ways(channel, side, roster.digest)
        except Exception as error:
            channel.abort(told(error))
            raise
        production &= accepted.production
        channels[roster.rank(channel.peer)] = channel
    return Mesh(rank, channels, door.watch, production)


def _check_own(pinned: bytes, found: bytes, name: str) -> None:
    if pinned != found:
        raise ConfigError(
            f"the roster pins {short(pinned)} for {name}, whose certificate is {short(found)}",
            hint="make the roster from the certificates that the running workers tell",
        )


def _peers(roster: Roster, rank: int, door: Door) -> Iterator[Channel]:
    """A channel to each other worker, authenticated by its certificate only."""
    until = time.monotonic() + DEADLINE
    options = Options(watch=door.watch, progress=door.progress)
    address, credentials = door.listen_on or roster.workers[rank].address, door.credentials
    with listen(address, credentials=credentials, options=options) as listener:
        for peer in roster.workers[:rank]:
            yield connect(
                peer.address,
                peer.name,
                credentials=credentials,
                pinned=peer.certificate,
                deadline=until - time.monotonic(),
                options=options,
            )
        awaited = {peer.name: peer.certificate for peer in roster.workers[rank + 1 :]}
        while awaited:
            channel = _caller(listener, awaited, door, until)
            del awaited[channel.peer]
            yield channel


def _caller(listener: Listener, awaited: dict[str, bytes], door: Door, until: float) -> Channel:
    """The next awaited worker that calls, among strangers who are turned away."""
    while True:
        try:
            return listener.accept(awaited, until - time.monotonic())
        except (PolicyRefused, PeerError) as error:
            door.watch.wait(None, 0, 0)
            if time.monotonic() >= until:
                raise
            door.progress(f"turned a caller away: {error}")
