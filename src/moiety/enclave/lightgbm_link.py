"""LightGBM's own network, carried by ours: what its C API asks of whoever brings collectives.

`LGBM_NetworkInitWithFunctions` (LightGBM's c_api.h) takes two functions, for the calling thread
only; everything else that its workers tell each other is made of these two. No socket of its own
is opened. Sums are added in the order in which its sockets add (linker_topo.cpp, network.cpp), so
that trees are the same to the last bit.

A function that C calls cannot raise. After an error it never returns: nothing false gets into
LightGBM, whose thread stands still for good, and the process must end (see `boosting`).
"""

import ctypes
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from lightgbm.basic import _LIB  # type: ignore[attr-defined]

from moiety.enclave.collectives import Collectives
from moiety.errors import InternalError
from moiety.wire.frame import Buffer

RING = 10 << 20
"""From so many bytes on LightGBM sums along a ring, unless workers are a power of two."""

_SIZE = ctypes.c_int32
_SIZES = ctypes.POINTER(_SIZE)
_REDUCE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, _SIZE)
_REDUCE_SCATTER = ctypes.CFUNCTYPE(
    None,
    ctypes.c_void_p,
    _SIZE,
    ctypes.c_int,
    _SIZES,
    _SIZES,
    ctypes.c_int,
    ctypes.c_void_p,
    _SIZE,
    ctypes.POINTER(ctypes.c_void_p),
)
_ALLGATHER = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, _SIZE, _SIZES, _SIZES, ctypes.c_int, ctypes.c_void_p, _SIZE
)
_SILENCE = ctypes.CFUNCTYPE(None, ctypes.c_char_p)(lambda _: None)
_WRITABLE = 0x200

Add = Callable[[Buffer, Buffer], Buffer]


class Link:
    """The two functions over `collectives`, and what went wrong in them."""

    def __init__(self, collectives: Collectives, failed: Callable[[BaseException], None]) -> None:
        """`failed` is told of an error before LightGBM's thread stands still."""
        self._collectives = collectives
        self._failed = failed
        self._functions = (
            _REDUCE_SCATTER(self._guarded(self._reduce_scatter)),
            _ALLGATHER(self._guarded(self._allgather)),
        )

    def __enter__(self) -> "Link":
        """LightGBM's network for this thread."""
        given = [ctypes.cast(function, ctypes.c_void_p) for function in self._functions]
        _call(
            "LGBM_NetworkInitWithFunctions", self._collectives.size, self._collectives.rank, *given
        )
        return self

    def __exit__(self, *_: object) -> None:
        _call("LGBM_NetworkFree")

    def _guarded(self, work: Callable[..., None]) -> Callable[..., None]:
        def function(*arguments: Any) -> None:
            try:
                work(*arguments)
            except BaseException as error:
                self._failed(error)
                threading.Event().wait()

        return function

    def _reduce_scatter(self, data: int, size: int, width: int, *rest: Any) -> None:
        starts, lengths, count, target, _, reducer = rest
        reduce = _REDUCE(reducer[0])

        def add(one: Buffer, other: Buffer) -> Buffer:
            into, what = (other, one) if isinstance(one, bytes) else (one, other)
            total = bytearray(into) if isinstance(into, bytes) else into
            reduce(_address(what), _address(total), width, len(total))
            return total

        def combine(parts: list[Buffer]) -> Buffer:
            ring = size >= RING and count & (count - 1) != 0
            return along_ring(parts, self._collectives.rank, add) if ring else by_halves(parts, add)

        parts = [_memory(data + starts[rank], lengths[rank]) for rank in range(count)]
        total = self._collectives.reduce_scatter(parts, combine)
        if total:
            ctypes.memmove(target, _address(total), len(total))

    def _allgather(self, data: int, size: int, starts: Any, lengths: Any, *rest: int) -> None:
        count, target, _ = rest
        own = bytes(_memory(data, size))
        parts = self._collectives.allgather(own, lengths[:count])
        for rank, part in enumerate(parts):
            _memory(target + starts[rank], lengths[rank])[:] = part


def by_halves(parts: list[Buffer], add: Add) -> Buffer:
    """The parts added as recursive halving does: the last ones in pairs down to a power of two.

    Then half to half: of four (0 + 2) + (1 + 3), of three 0 + (1 + 2).
    """
    single = (1 << len(parts).bit_length()) - len(parts)
    pairs = zip(parts[single::2], parts[single + 1 :: 2], strict=True)
    sums = parts[:single] + [add(*pair) for pair in pairs]
    while len(sums) > 1:
        half = len(sums) // 2
        sums = [add(*pair) for pair in zip(sums[:half], sums[half:], strict=True)]
    return sums[0]


def along_ring(parts: list[Buffer], rank: int, add: Add) -> Buffer:
    """The parts added one after the other, from the rank after this one round to this one."""
    total, *others = parts[rank + 1 :] + parts[: rank + 1]
    for part in others:
        total = add(total, part)
    return total


def silence() -> None:
    """LightGBM's log of this thread goes nowhere: its lines may quote data."""
    _call("LGBM_RegisterLogCallback", _SILENCE)


def _memory(address: int, size: int) -> memoryview:
    """LightGBM's memory: valid while the function that was given the address runs."""
    view: memoryview = _from_memory(address, size, _WRITABLE)
    return view


def _address(buffer: Buffer) -> int:
    return int(np.frombuffer(buffer, np.uint8).ctypes.data)


def _call(name: str, *arguments: Any) -> None:
    if getattr(_LIB, name)(*arguments):
        raise InternalError(f"LightGBM's {name} failed")


_from_memory = ctypes.pythonapi.PyMemoryView_FromMemory
_from_memory.restype = ctypes.py_object
_from_memory.argtypes = (ctypes.c_void_p, ctypes.c_ssize_t, ctypes.c_int)
