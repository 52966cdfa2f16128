"""Tables that are masked once and then multiply shared matrices in any number of runs."""

from moiety.lang.primitive import DEALER
from moiety.lang.program import Input, Program, Step
from moiety.lang.types import Masked, Private, Type
from moiety.ops.multiply import mask
from moiety.plan.candidates import cheapest
from moiety.plan.plan import Plan


def masking(type: Type) -> Plan:
    """The plan whose output x is the input x of one party, masked, of this type."""
    if not isinstance(type.owner, Masked):
        raise TypeError(f"{type} is not masked")
    given = Type(type.shape, type.kind, Private(type.owner.party), type.lo, type.hi)
    step = Step(mask, (0,), {"ring": type.ring}, mask.rule(given, ring=type.ring))
    return cheapest(Program((Input("x", given), step), {"x": 1}), DEALER)
