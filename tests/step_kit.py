"""The library's instructions, one by one: a process that a test steps through a kernel."""

import ctypes
import hashlib
import os
import platform
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

SINGLE_STEP, GET_REGISTERS = 9, 12
"""Requests of ptrace(2)."""
REGISTERS, POINTER = 27, 16
"""Words of `user_regs_struct` on x86-64, and which is the instruction pointer."""

CHILD = """
import ctypes, os, signal, sys
import numpy as np
from moiety import _core

SIZES = ((8, 7, 6), (False, True, False))

def drawn(seed):
    draw = np.random.default_rng(seed)
    codes = np.stack([draw.integers(0, count, 75).astype(np.uint8) for count in SIZES[0]])
    nodes = np.stack([draw.integers(0, most, (1, 3)) for most in (3, 8, 2)], -1).astype(np.uint8)
    ids = draw.permutation(2**20)[:50].astype("<u8").view(np.uint8).reshape(-1, 8)
    ids[30:40] = ids[:10]
    return codes, draw.integers(0, 2, 75).astype(np.uint8), nodes, draw.normal(size=(1, 4)), ids

KERNELS = {
    "grow": lambda codes, y, *_: _core.grow_trees(codes, y, SIZES, (1, 2, 0.3, 5)),
    "score": lambda codes, y, nodes, leaves, _: _core.score_trees(codes, SIZES, nodes, leaves),
    "join": lambda *all: _core.join_rows(
        bytes(32), [(all[4][:30], all[4][:30]), (all[4][30:], all[4][30:])]
    ),
    "planted": lambda codes, *_: [code for code in codes.tobytes() if code > 3],
}
kernel, data = KERNELS[sys.argv[1]], drawn(int(sys.argv[2]))
kernel(*drawn(100))
libc = ctypes.CDLL(None)
stop = lambda: os.kill(os.getpid(), signal.SIGSTOP)
libc.ptrace(0, 0, None, None)
stop()
kernel(*data)
stop()
"""


def steps(kernel: str, seed: int) -> tuple[int, str]:
    """How many instructions a kernel takes for this data, and a hash of their addresses."""
    command = [shutil.which("setarch"), "--addr-no-randomize", sys.executable, "-c", CHILD]
    source = str(Path(__file__).parents[1] / "src")
    env = {"PYTHONPATH": source, "PYTHONHASHSEED": "0", "MOIETY_THREADS": "1"}
    with subprocess.Popen([*command, kernel, str(seed)], env=env) as child:
        try:
            return _steps(child.pid)
        finally:
            child.kill()


def _steps(pid: int) -> tuple[int, str]:
    libc, count, path = ctypes.CDLL(None, use_errno=True), 0, hashlib.sha256()
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    registers = (ctypes.c_uint64 * REGISTERS)()
    _, status = os.waitpid(pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    while True:
        if libc.ptrace(SINGLE_STEP, pid, None, None) and not count:
            pytest.skip("no process may be traced here (ptrace)")
        _, status = os.waitpid(pid, 0)
        if not os.WIFSTOPPED(status) or os.WSTOPSIG(status) != signal.SIGTRAP:
            return count, path.hexdigest()
        libc.ptrace(GET_REGISTERS, pid, None, ctypes.byref(registers))
        path.update(registers[POINTER].to_bytes(8, "little"))
        count += 1


def check_machine() -> None:
    """Skips, with the reason, where instructions cannot be stepped through."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        pytest.skip("instructions are stepped through on Linux for x86-64 only")
    if shutil.which("setarch") is None:
        pytest.skip("setarch is not installed: addresses of a process are random")
