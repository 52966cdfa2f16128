"""All parties in one thread, in memory: for tests and rehearsals, with each party's view recorded.

Here, and only here, a seed may replay the correlated randomness.
"""

import itertools
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from moiety.errors import InternalError
from moiety.lang.cost import Cost, Link
from moiety.lang.primitive import Array, Example, Primitive, Way
from moiety.lang.program import Input, Program, Step
from moiety.lang.types import SHARED, Masked, Private, Type
from moiety.plan.candidates import Candidate, assemble
from moiety.plan.plan import Plan
from moiety.protocols.base import Protocol, Tick
from moiety.ring import derive
from moiety.run.dealing import Dealer, MaskUse, Material
from moiety.run.execute import Script
from moiety.run.tables import masking

PARTIES = 2
Messages = dict[Link, bytes]


@dataclass(frozen=True, repr=False)
class Transcript:
    """What the parties returned, and the messages of each round."""

    results: list[Any]
    rounds: list[Messages]

    @property
    def cost(self) -> Cost:
        """What was sent, measured."""
        sizes = ({link: len(data) for link, data in messages.items()} for messages in self.rounds)
        return Cost(tuple(sizes))

    def view(self, party: int) -> list[bytes]:
        """The messages that one party received, in order."""
        return [
            data for messages in self.rounds for (_, to), data in messages.items() if to == party
        ]


def lockstep(protocols: Sequence[Protocol[Any]]) -> Transcript:
    """Runs the parties' sides of one protocol; refuses wrong sizes and unequal endings."""
    rounds: list[Messages] = []
    received: list[dict[int, bytes] | None] = [None] * len(protocols)
    while True:
        with np.errstate(over="ignore"):
            states = [_advance(*pair) for pair in zip(protocols, received, strict=True)]
        ticks = [state for state in states if isinstance(state, Tick)]
        if not ticks:
            return Transcript([state.value for state in states if isinstance(state, Ended)], rounds)
        if len(ticks) < len(protocols):
            raise InternalError("one party's protocol ended before another's")
        rounds.append(_messages(ticks))
        received = [_inbox(party, tick, rounds[-1]) for party, tick in enumerate(ticks)]


@dataclass(frozen=True)
class Ended:
    """A party's protocol has returned `value`."""

    value: Any


def _advance(protocol: Protocol[Any], received: dict[int, bytes] | None) -> Tick | Ended:
    try:
        return next(protocol) if received is None else protocol.send(received)
    except StopIteration as end:
        return Ended(end.value)


def _messages(ticks: Sequence[Tick]) -> Messages:
    return {
        (party, peer): bytes(data)
        for party, tick in enumerate(ticks)
        for peer, data in tick.send.items()
    }


def _inbox(party: int, tick: Tick, messages: Messages) -> dict[int, bytes]:
    inbox = {source: data for (source, to), data in messages.items() if to == party}
    tick.check(inbox)
    return inbox


def alone(primitive: Primitive, way: Way, example: Example, *, copies: int = 1) -> Plan:
    """The plan of one way of one primitive; copies of the step are independent."""
    inputs = [Input(f"x{index}", type) for index, type in enumerate(example.types)]
    result = primitive.rule(*example.types, **example.parameters)
    step = Step(primitive, tuple(range(len(inputs))), example.parameters, result)
    outputs = {f"y{copy}": len(inputs) + copy for copy in range(copies)}
    program = Program((*inputs, *[step] * copies), outputs)
    choice = Candidate(way, example.types, way.price(example.types, example.parameters))
    return assemble(program, way.profile, {index: choice for index, _ in program.steps()})


def split(plan: Plan | Program, inputs: Mapping[str, Array]) -> tuple[dict[str, Array], ...]:
    """What each party brings: its own inputs in the clear, and random shares of shared ones.

    A masked table is its owner's; `run` masks it.
    """
    brought: tuple[dict[str, Array], ...] = ({}, {})
    for name, type in plan.inputs.items():
        data = inputs[name]
        if isinstance(type.owner, Private | Masked):
            brought[type.owner.party][name] = data
        elif type.owner == SHARED:
            brought[0][name], brought[1][name] = shares(data)
        else:
            brought[0][name] = brought[1][name] = data
    return brought


def shares(data: Array) -> tuple[Array, Array]:
    """Random shares of words or bits."""
    mask = _uniform(data)
    return mask, data ^ mask if data.dtype == np.uint8 else data - mask


def _uniform(like: Array) -> Array:
    drawn = np.frombuffer(secrets.token_bytes(like.nbytes), np.uint8)
    uniform: Array = drawn & np.uint8(1) if like.dtype == np.uint8 else drawn.view(np.uint64)
    return uniform.reshape(like.shape)


def replayed(seed: bytes) -> Dealer:
    """A dealer whose lots depend on `seed` only, so that a run can be replayed."""
    count = itertools.count()
    return Dealer(lambda: derive(seed, f"draw {next(count)}".encode()))


def run(
    plan: Plan,
    brought: Sequence[Mapping[str, Array]],
    material: tuple[Material, Material] | None = None,
    dealer: Dealer | None = None,
) -> Transcript:
    """Runs a plan with what each party brings; without material, a fresh lot is dealt."""
    if material is None:
        dealer = dealer or Dealer()
        brought, uses = masked(plan, brought, dealer)
        material = dealer.deal(plan.bill, masks=uses)
    return lockstep([_side(plan, p, brought[p], material[p]) for p in range(PARTIES)])


def masked(
    plan: Plan, brought: Sequence[Mapping[str, Array]], dealer: Dealer
) -> tuple[list[dict[str, Array]], dict[str, MaskUse]]:
    """What each party holds once the inputs that are masked tables were masked."""
    held, uses = list(map(dict, brought)), {}
    for name, type in plan.inputs.items():
        if isinstance(type.owner, Masked):
            uses[name] = _mask(dealer, name, type, held)
    return held, uses


def _side(
    plan: Plan, party: int, brought: Mapping[str, Array], material: Material
) -> Protocol[dict[str, Array]]:
    script = Script(plan, party)
    script.bind(brought)
    return script.run(brought, next(material.spend(plan.bill, party)))


def _mask(dealer: Dealer, name: str, type: Type, held: list[dict[str, Array]]) -> MaskUse:
    """Masks one party's table: the other holds it then less its mask."""
    plan = masking(type)
    material = dealer.deal(plan.bill)
    owner = type.owner.party if isinstance(type.owner, Masked) else 0
    inputs: list[dict[str, Array]] = [{}, {}]
    inputs[owner]["x"] = held[owner][name]
    for party, result in enumerate(run(plan, inputs, material).results):
        held[party][name] = result["x"]
    return MaskUse(material[0].lot.lot, (0,))
