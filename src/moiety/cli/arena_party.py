"""A party's process in an arena: it does what the dealer's process orders, until the end."""

import socket
import time
from typing import Any

from OpenSSL import SSL

from moiety.cli.arena import LARGEST, ORDER, packed, unpacked
from moiety.cli.load import Wanted
from moiety.errors import InternalError
from moiety.function.function import Compiled
from moiety.lang.primitive import Array
from moiety.message import decode, encode
from moiety.run.dealing import Material
from moiety.run.rehearsal import by_ledger
from moiety.run.session import Session
from moiety.wire.certificates import make_credentials
from moiety.wire.channel import Channel
from moiety.wire.frame import Kind
from moiety.wire.plain import insecure_channel
from moiety.wire.secure import context, secure
from moiety.wire.watch import Watch

HANDSHAKE = 20.0


def arena_party(party: int, peer: int, dealer: int) -> None:
    """One party of `moiety try` or `moiety calibrate`: the dealer sends orders and lots."""
    with Watch() as watch:
        line = socket.socket(fileno=dealer)
        source = insecure_channel(line, f"party {party}", "the dealer", watch=watch)
        channel = _secured(socket.socket(fileno=peer), party, watch)
        _Party(Session(channel, party), source).serve()
        watch.finish()


def _secured(sock: socket.socket, party: int, watch: Watch) -> Channel:
    """TLS to the peer; party 0 is the server. Both processes are this one's: nothing is pinned."""
    session = SSL.Connection(context(make_credentials(f"party {party}", 1)), sock)
    (session.set_connect_state if party else session.set_accept_state)()
    transport = secure(session, sock, watch, time.monotonic() + HANDSHAKE)
    channel = Channel(transport, f"party {1 - party}", watch=watch)
    watch.add(channel)
    return channel


class _Party:
    """One party's process, between orders."""

    def __init__(self, session: Session, source: Channel) -> None:
        self.session, self.source = session, source
        self.compiled: Compiled | None = None
        self.inputs: dict[str, Array] = {}
        self.known: dict[bytes, Compiled] = {}

    def serve(self) -> None:
        """Does what comes, until the end."""
        while (order := self._next())["do"] != "end":
            if order["do"] == "compile":
                self._compile(order["wanted"], order["inputs"])
            elif order["do"] == "run":
                self._run(order["material"])
            else:
                self._exchange(int.from_bytes(order["inputs"], "little"))

    def _next(self) -> dict[str, Any]:
        data = self.source.receive(Kind.HELLO, LARGEST)
        return decode(data, ORDER, LARGEST, sender="the dealer")

    def _compile(self, wanted: bytes, inputs: bytes) -> None:
        if wanted not in self.known:
            self.known[wanted] = Wanted.decode(wanted).compiled()
        self.compiled, self.inputs = self.known[wanted], unpacked(inputs)
        self.source.send(Kind.HELLO, self.compiled.plan.hash)

    def _run(self, material: bytes) -> None:
        if self.compiled is None:
            raise InternalError("a run before anything was compiled")
        spent = time.process_time_ns()
        plan, begin = self.compiled.plan, len(self.session.ledger)
        lot = Material.decode(material, limit=max(plan.cost.dealt, plan.cost.common))
        ready = time.monotonic_ns()
        self.source.send(Kind.HELLO, b"")
        held = self.session.run(plan, self.inputs, lot, receivers=plan.receivers)
        levels = [
            [took.rounds, took.sent, took.received, round(1e9 * took.seconds)]
            for took in by_ledger(self.session.ledger[begin:])
        ]
        used = time.process_time_ns() - spent
        said = {"levels": levels, "processor": used, "ready": ready}
        self.source.send(Kind.RECORD, encode({"held": packed(held), **said}))

    def _exchange(self, size: int) -> None:
        data, channel = bytes(size), self.session.channel
        channel.exchange(b"", 0)
        began = time.perf_counter_ns()
        channel.exchange(data, size)
        took = time.perf_counter_ns() - began
        self.source.send(Kind.RECORD, took.to_bytes(8, "little"))
