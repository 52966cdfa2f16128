"""Owners that do not compute: they send shares of their arrays to the two parties that do.

To party 0 goes a seed, to party 1 the array less what the seed gives: either alone is uniform.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from moiety.errors import PeerMisbehaved, UsageError
from moiety.function.function import Compiled, Function
from moiety.function.runner import Given, Owned, Repeated, Secret, Span, taken
from moiety.function.sums import Sum
from moiety.lang.primitive import Array
from moiety.lang.types import BIT, SHARED, WORD_BITS, Type
from moiety.ring import KEY, Stream, pack_bits, pack_words, unpack_bits, unpack_words
from moiety.run.loop import encoded
from moiety.run.planner import Planner
from moiety.wire.channel import Channel
from moiety.wire.frame import Kind


@dataclass(frozen=True)
class Contributors:
    """The channels on which further owners send their shares, by name."""

    channels: Mapping[str, Channel] = field(default_factory=dict)

    def share(self, owner: str, type: Type, party: int) -> Array:
        """This party's share of an owner's array."""
        if owner not in self.channels:
            raise UsageError(f"{owner} does not compute, and is not connected to send shares")
        channel, size = self.channels[owner], _size(type)
        due = size if party else KEY
        data = channel.receive(Kind.SHARE, due)
        if len(data) != due:
            raise PeerMisbehaved(f"{owner} sent a share of {len(data)} bytes, not {due}")
        return _unpacked(type, data) if party else _drawn(type, data)


def _size(type: Type) -> int:
    return -(-type.size // 8) if type.kind == BIT else type.size * WORD_BITS // 8


def _drawn(type: Type, seed: bytes) -> Array:
    """What a seed gives for an array of this type."""
    return _unpacked(type, Stream(seed, 0).bytes(_size(type)), strict=False)


def _unpacked(type: Type, data: bytes, *, strict: bool = True) -> Array:
    if type.kind == BIT:
        return unpack_bits(data, type.size, strict=strict).reshape(type.shape)
    return unpack_words(data, type.size, WORD_BITS).reshape(type.shape)


def send(channels: Sequence[Channel], type: Type, words: Array) -> None:
    """Sends the shares of an array to party 0 and to party 1."""
    seed = secrets.token_bytes(KEY)
    drawn = _drawn(type, seed)
    with np.errstate(over="ignore"):
        rest: Array = words ^ drawn if type.kind == BIT else words - drawn
    channels[0].send(Kind.SHARE, seed)
    packed = pack_bits(rest) if type.kind == BIT else pack_words(rest, WORD_BITS)
    channels[1].send(Kind.SHARE, packed)


@dataclass
class Contribution(Planner):
    """The runner of an owner that does not compute: it follows every call and sends its shares."""

    name: str = ""
    channels: Sequence[Channel] = ()
    _sent: dict[Any, Owned] = field(default_factory=dict, init=False, repr=False)

    def call(self, function: Function, **arguments: Given) -> dict[str, Any]:
        """See `Runner`. Nothing is revealed to a party that does not compute."""
        compiled = self.compiled(function, arguments)
        self._contribute(compiled, arguments)
        return _results(compiled, self.sums(compiled, arguments))

    def repeat(
        self,
        function: Function,
        *,
        state: Mapping[str, Secret],
        given: Mapping[str, Given],
        spans: Sequence[Span],
        batched: Sequence[str] = (),
    ) -> Repeated:
        """See `Runner`."""
        if not spans:
            return Repeated(state, {})
        first = {**taken(given, batched, spans[0]), **state}
        compiled = self.compiled(function, first)
        self._contribute(compiled, given)
        now, found = dict(state), dict[str, Any]()
        for _ in spans:
            found = _results(compiled, self.sums(compiled, {**first, **now}))
            now = {name: found[name] for name in state}
        others = {name: [one] * len(spans) for name, one in found.items() if name not in state}
        return Repeated(now, others)

    def _contribute(self, compiled: Compiled, arguments: Mapping[str, Given]) -> None:
        for name, one in arguments.items():
            type = compiled.plan.inputs.get(name)
            if type is None or not isinstance(one, Owned) or type.owner != SHARED:
                continue
            if one.owner == self.name and (id(one), name) not in self._sent:
                words = encoded(compiled, name, one)
                if words is None:
                    raise UsageError(f"{self.name} does not bring {name}")
                send(self.channels, whole(type, one), words)
                self._sent[id(one), name] = one


def whole(type: Type, owned: Owned) -> Type:
    """The type of all rows of an array of which a plan may take some."""
    return Type(owned.shape, type.kind, type.owner, type.lo, type.hi, type.error, type.ring)


def _results(compiled: Compiled, whose: Mapping[str, Sum | None]) -> dict[str, Any]:
    return {
        name: Secret(type, (), whose[name]) if type.owner == SHARED else None
        for name, type in compiled.types.items()
    }
