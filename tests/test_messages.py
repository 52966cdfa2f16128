"""Every byte of a message is written: kernels make messages in memory that is not cleared.

The same runs are made where fresh memory holds what it held, and where the allocator fills it. A
byte that a kernel left as it was would differ, and would tell a peer what lay there before.
"""

import ctypes
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from moiety.lang.primitive import REGISTRY
from moiety.lang.types import BIT
from moiety.ring import derive
from moiety.run import twin

SEED = bytes(16)


def shares(program):
    """Inputs and their shares, from a fixed key."""
    brought = ({}, {})
    for number, (name, type) in enumerate(program.inputs.items()):
        whole = np.full(type.shape, min(max(3, type.lo), type.hi) % 2**64, np.uint64)
        key = derive(SEED, f"input {number}".encode())
        mask = np.frombuffer(hashlib.shake_256(key).digest(8 * type.size), np.uint64)
        mask = mask.reshape(type.shape)
        if type.kind == BIT:
            whole, mask = whole.astype(np.uint8), (mask & np.uint64(1)).astype(np.uint8)
        owner = getattr(type.owner, "party", None)
        if owner is not None:
            brought[owner][name] = whole
        elif str(type.owner) == "public":
            brought[0][name] = brought[1][name] = whole
        else:
            brought[0][name] = mask
            brought[1][name] = whole ^ mask if type.kind == BIT else whole - mask
    return brought


def digests():
    """For each way and example, a hash of all messages and of all that is dealt."""
    for primitive in REGISTRY.values():
        for number, example in enumerate(primitive.examples):
            for way in primitive.ways:
                if way.local or not way.accepts(*example.types):
                    continue
                program = twin.alone(primitive, way, example, copies=2)
                dealer = twin.replayed(SEED)
                _, uses = twin.masked(program, shares(program), dealer)
                lots = dealer.deal(program.bill, masks=uses)
                dealt = [b"".join(map(bytes, lot.open())) for lot in lots]
                found = twin.run(program, shares(program), dealer=twin.replayed(SEED))
                said = [data for messages in found.rounds for data in messages.values()]
                digest = hashlib.sha256(b"|".join([*dealt, *said])).hexdigest()
                yield f"{primitive.name} {way.name} {number} {digest}"


def untouched(size):
    """Bytes as they come from the allocator."""
    make = ctypes.pythonapi.PyBytes_FromStringAndSize
    make.restype, make.argtypes = ctypes.py_object, (ctypes.c_void_p, ctypes.c_ssize_t)
    return make(None, size)


def told(allocator):
    environment = {**os.environ, "PYTHONMALLOC": allocator}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, Path(__file__)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    return done.stdout.splitlines()


def test_no_byte_of_a_message_is_what_memory_held_before():
    plain, filled = told("malloc"), told("malloc_debug")
    assert len(plain) > 50 and plain[1:] == filled[1:]
    assert filled[0] == str(b"\xcd" * 40), "the allocator fills what nobody writes"


if __name__ == "__main__":
    print(untouched(40))
    with np.errstate(over="ignore"):
        print("\n".join(digests()))
