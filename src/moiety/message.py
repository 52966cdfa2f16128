"""Control messages: canonical CBOR out, strictly checked CBOR in.

Canonical means RFC 7049 §3.9 (shortest forms, keys sorted by length and then by bytes), so that two
parties who mean the same fields send, hash and sign the same bytes. Allowed: int of -2^64..2^64-1,
str, bytes, bool, finite float, None, list, dict with str keys. Tags, indefinite lengths, duplicate
keys and anything after the message are refused.

A schema says what a message must be, exactly:

    {"name": str, "rows": int, "edges": list[float], "until": int | None,
     "owner": {"key": bytes}, "columns": [{"name": str}], "bounds": dict[str, float]}
"""

from collections.abc import Callable, Mapping
from math import isfinite
from types import UnionType
from typing import Any, NoReturn, TypeAlias, get_args, get_origin

import cbor2

from moiety.errors import InternalError, PeerMisbehaved

DEPTH = 16
INTEGERS = range(-(2**64), 2**64)
SCALARS = (int, str, bytes, bool, float)

Schema: TypeAlias = Mapping[str, Any]


class _Fault(ValueError):
    """What is wrong with a message; never quotes what the peer wrote."""


class _NoTags(dict[int, Callable[..., NoReturn]]):
    """A decoder for every CBOR tag, which refuses it: a tag may run code (a regular expression)."""

    def __missing__(self, tag: int) -> Callable[..., NoReturn]:
        return _refuse_tag


def encode(fields: Mapping[str, object]) -> bytes:
    """The canonical bytes of `fields`; equal fields give equal bytes."""
    try:
        _check_plain(fields, DEPTH)
        return cbor2.dumps(fields, canonical=True)
    except _Fault as fault:
        raise InternalError(f"a control message cannot be encoded: it {fault}") from None
    except (UnicodeEncodeError, cbor2.CBOREncodeError):
        raise InternalError("a control message cannot be encoded: it is not Unicode") from None


def decode(data: bytes, schema: Schema, limit: int, *, sender: str = "the peer") -> dict[str, Any]:
    """The fields of a message of at most `limit` bytes that has exactly the form of `schema`.

    Raises PeerMisbehaved, and nothing else, for any other bytes. The error tells the kind of fault
    and the field by the schema's name, never what the message holds.
    """
    try:
        return _decode(data, schema, limit)
    except _Fault as fault:
        raise PeerMisbehaved(
            f"{sender} sent a control message that {fault}",
            hint="both sides must run the same version of moiety",
        ) from None


def _decode(data: bytes, schema: Schema, limit: int) -> dict[str, Any]:
    if len(data) > limit:
        raise _Fault(f"has {len(data)} bytes, more than {limit}")
    fields: dict[str, Any] = _parse(data)
    _check_plain(fields, DEPTH)
    _check(fields, schema, "the message")
    if cbor2.dumps(fields, canonical=True) != data:
        raise _Fault("is not in canonical form")
    return fields


def _parse(data: bytes) -> Any:
    try:
        return cbor2.loads(
            data,
            semantic_decoders=_NoTags(),
            max_depth=DEPTH,
            allow_indefinite=False,
            allow_duplicate_keys=False,
            strict_hashable_types=True,
        )
    except Exception:
        raise _Fault("is not plain CBOR") from None


def _refuse_tag(*_: object) -> NoReturn:
    raise _Fault("holds a tag")


def _check_plain(value: object, depth: int) -> None:
    """Refuses what another language or another version would read differently."""
    if type(value) is not dict and type(value) is not list:
        _check_scalar(value)
    elif depth == 0:
        raise _Fault(f"is nested deeper than {DEPTH}")
    else:
        for item in _items(value):
            _check_plain(item, depth - 1)


def _check_scalar(value: Any) -> None:
    kind = type(value)
    if value is not None and kind not in SCALARS:
        raise _Fault("holds a value that is not plain")
    if kind is int and value not in INTEGERS:
        raise _Fault("holds an integer of more than 64 bits")
    if kind is float and not isfinite(value):
        raise _Fault("holds a number that is not finite")


def _items(value: Any) -> list[object]:
    if type(value) is list:
        return value
    if any(type(key) is not str for key in value):
        raise _Fault("has a key that is not text")
    return list(value.values())


def _check(value: Any, shape: Any, where: str) -> None:
    """Raises a fault unless `value` is exactly of `shape`; `where` is its name in the schema."""
    if isinstance(shape, Mapping):
        _check_fields(value, shape, where)
    elif isinstance(shape, UnionType):
        if value is not None:
            _check(value, _only(set(get_args(shape)) - {type(None)}), where)
    elif isinstance(shape, list) or get_origin(shape) is list:
        _check_type(value, list, where)
        inner = _only(shape if isinstance(shape, list) else get_args(shape))
        for item in value:
            _check(item, inner, f"an item of {where}")
    elif get_origin(shape) is dict:
        _check_type(value, dict, where)
        for item in value.values():
            _check(item, get_args(shape)[1], f"an item of {where}")
    else:
        _check_type(value, shape, where)


def _check_fields(value: Any, schema: Schema, where: str) -> None:
    _check_type(value, dict, where)
    missing = schema.keys() - value.keys()
    if missing:
        raise _Fault(f"has no `{min(missing)}` in {where}")
    if len(value) > len(schema):
        raise _Fault(f"has a field that does not belong in {where}")
    for name, shape in schema.items():
        _check(value[name], shape, f"`{name}`")


def _check_type(value: object, expected: type, where: str) -> None:
    if type(value) is not expected:
        raise _Fault(f"has {type(value).__name__} where {where} must be {expected.__name__}")


def _only(shapes: Any) -> Any:
    if len(shapes) != 1:
        raise InternalError("a message schema allows one type at a place, or that type and None")
    return next(iter(shapes))
