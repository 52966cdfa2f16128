"""A bill as bytes: what parties ask a dealer for. Plain data, checked strictly; no code, no values.

    [plan's hash, [[step, [correlation, …], where its table was masked], …]]

A correlation is its name and its fields; a field that is a structure of its own is written alike.
"""

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

from moiety.errors import InternalError, PeerMisbehaved, UsageError
from moiety.lang.types import WORD_BITS
from moiety.message import decode as decode_message
from moiety.message import encode as encode_message
from moiety.plan import bill as bills
from moiety.plan.bill import Bill, Placed
from moiety.protocols import (
    additive,
    boolean,
    comparison,
    dpf,
    equality,
    fourier,
    lookup,
    masked,
    permutation,
    piecewise,
    truncation,
)
from moiety.protocols.correlations import Correlation
from moiety.protocols.fourier import Waves

FAMILIES = (
    additive,
    boolean,
    comparison,
    dpf,
    equality,
    fourier,
    lookup,
    masked,
    permutation,
    piecewise,
    truncation,
)
LARGEST = 1 << 24
"""Bytes of an encoded bill."""
MOST = 1 << 40
"""The largest number in a bill, but for the entries of tables."""
FIELD = 1 << 35
"""The most bits of a field: a message holds no more."""
HASH = 32
SCHEMA = {"plan": bytes, "steps": list[bytes]}
STEP = {"index": int, "items": list[bytes], "input": str | None, "step": int | None}
ITEM = {"name": str, "numbers": list[int], "parts": list[bytes], "flags": list[bool]}


_FAULTS = (
    UsageError,
    InternalError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    RuntimeError,
    StopIteration,
)


def encode(bill: Bill) -> bytes:
    """The bytes of a bill; equal bills give equal bytes."""
    steps = [encode_message(_step(bill, index, items)) for index, items in bill.steps.items()]
    return encode_message({"plan": bill.plan, "steps": steps})


def decode(data: bytes, *, sender: str) -> Bill:
    """The bill in these bytes.

    Raises:
        PeerMisbehaved: they are none, or ask for what cannot be dealt.
    """
    body = decode_message(data, SCHEMA, LARGEST, sender=sender)
    try:
        return _decoded(body, sender)
    except _FAULTS as error:
        raise PeerMisbehaved(f"{sender} asks for correlations that cannot be dealt") from error


def _step(bill: Bill, index: int, items: Iterable[Placed]) -> dict[str, Any]:
    origins = {item.mask for item in items if item.mask is not None}
    origin = origins.pop() if origins else None
    step = next((i for i, all_ in bill.steps.items() if origin in all_), None)
    name = origin if isinstance(origin, str) else None
    packed = [encode_message(_item(item.correlation)) for item in items]
    return {"index": index, "items": packed, "input": name, "step": step}


def _item(structure: Any) -> dict[str, Any]:
    """The fields of a structure by kind, each in the order of declaration."""
    numbers: list[int] = []
    flags: list[bool] = []
    parts: list[bytes] = []
    for value in (getattr(structure, each.name) for each in fields(structure)):
        if isinstance(value, bool):
            flags.append(value)
        elif isinstance(value, int):
            numbers.append(value)
        elif isinstance(value, tuple):
            numbers += [len(value), *value]
        else:
            parts.append(encode_message(_item(value)))
    name = type(structure).__name__
    return {"name": name, "numbers": numbers, "parts": parts, "flags": flags}


def _decoded(body: dict[str, Any], sender: str) -> Bill:
    wanted: dict[int, list[Correlation]] = {}
    tables: dict[int, int | str] = {}
    for packed in body["steps"]:
        step = decode_message(packed, STEP, LARGEST, sender=sender)
        index, origin = step["index"], step["input"] or step["step"]
        if index in wanted or len(body["plan"]) != HASH:
            raise ValueError("a step twice, or no hash of a plan")
        wanted[index] = [_built(item, Correlation, sender) for item in step["items"]]
        if origin is not None:
            tables[index] = origin
    return bills.bill(body["plan"], wanted, tables)


def _built(data: bytes, kind: type, sender: str) -> Any:
    item = decode_message(data, ITEM, LARGEST, sender=sender)
    made = _kinds()[item["name"]]
    numbers, flags, parts = (iter(item[key]) for key in ("numbers", "flags", "parts"))
    values = [_value(each.type, numbers, flags, parts, sender) for each in fields(made)]
    left = [*numbers, *flags, *parts]
    if left or not issubclass(made, kind):
        raise ValueError("fields that do not belong")
    return _fitting(made(*values))


def _fitting(structure: Any) -> Any:
    """The structure, if its fields can be dealt."""
    for field in structure.fields() if isinstance(structure, Correlation) else ():
        if not 1 <= field.bits <= WORD_BITS or not 0 <= field.size <= FIELD:
            raise ValueError("a field out of bounds")
    return structure


def _value(
    kind: Any,
    numbers: Iterator[int],
    flags: Iterator[bool],
    parts: Iterator[bytes],
    sender: str,
) -> Any:
    if kind is bool:
        return next(flags)
    if kind is int:
        return _small(next(numbers))
    if isinstance(kind, type) and is_dataclass(kind):
        return _built(next(parts), kind, sender)
    return tuple(next(numbers) for _ in range(_small(next(numbers))))


def _small(number: int) -> int:
    if not 0 <= number <= MOST:
        raise ValueError("a number out of range")
    return number


@cache
def _kinds() -> dict[str, Any]:
    """The structures that a bill may name."""
    found = [
        one
        for family in FAMILIES
        for one in vars(family).values()
        if isinstance(one, type) and is_dataclass(one) and issubclass(one, Correlation)
    ]
    return {one.__name__: one for one in [*found, Waves]}
