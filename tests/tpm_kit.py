"""A real TPM in software (swtpm), and machines that boot into it."""

import hashlib
import os
import shutil
import socket
import struct
import subprocess
import time
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec

import pytest

os.environ.setdefault("TSS2_LOG", "all+NONE")

BOOTED = [
    (0, "nothing", b"a remark"),
    (0, "action", b"firmware 1.2"),
    (4, "loader", b"a loader"),
    (4, "loader", b"a kernel"),
    *((n, "separator", bytes(4)) for n in range(8)),
]
"""What a machine measured: PCR, type of event, data."""

NAMES = {"separator": 4, "action": 5, "loader": 0x80000003, "nothing": 3}


def needed():
    """The library for TPMs; skips, with the reason, without it or a TPM in software."""
    absent = pytest.fail if os.environ.get("MOIETY_REQUIRE_TPM") == "1" else pytest.skip
    if find_spec("tpm2_pytss") is None:
        absent("tpm2-pytss is not installed: pip install 'moiety[tpm]'")
    if shutil.which("swtpm") is None:
        absent("swtpm is not installed: apt-get install swtpm")
    return import_module("tpm2_pytss")


def _ports():
    """A free port whose next one is free, too: swtpm's control port must be that."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


@contextmanager
def software_tpm(folder):
    """A TPM whose state is in `folder`; yields the name that tpm2-tss has for it."""
    folder.mkdir(exist_ok=True)
    port = _ports()
    command = ["swtpm", "socket", "--tpm2", "--server", f"port={port}"]
    command += ["--ctrl", f"type=tcp,port={port + 1}", "--flags", "not-need-init,startup-clear"]
    process = subprocess.Popen([*command, "--tpmstate", f"dir={folder.absolute()}"])
    try:
        _await(port + 1, process)
        yield f"swtpm:host=127.0.0.1,port={port}"
    finally:
        process.terminate()
        process.wait(10)


def _await(port, process):
    """Until the control port answers: the other one serves a single caller."""
    for _ in range(200):
        assert process.poll() is None, "swtpm ended"
        with socket.socket() as door:
            if door.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("swtpm does not answer")


def extend(where, events):
    """Measures events into a TPM, as firmware does."""
    lib = needed()
    with lib.ESAPI(where) as tpm:
        for pcr, kind, data in events:
            if kind != "nothing":
                digest = lib.TPMU_HA(sha256=hashlib.sha256(data).digest())
                value = lib.TPMT_HA(hashAlg=lib.TPM2_ALG.SHA256, digest=digest)
                tpm.pcr_extend(getattr(lib.ESYS_TR, f"PCR{pcr}"), lib.TPML_DIGEST_VALUES([value]))


def log_of(events, *, algorithms=((4, 20), (11, 32))):
    """The log that firmware would show of these events, in the crypto-agile form."""
    sizes = b"".join(struct.pack("<HH", *each) for each in algorithms)
    head = b"Spec ID Event03\0" + struct.pack("<IBBBB", 0, 0, 2, 0, 2)
    head += struct.pack("<I", len(algorithms)) + sizes + b"\0"
    log = struct.pack("<II20sI", 0, NAMES["nothing"], b"", len(head)) + head
    digests = {4: hashlib.sha1, 11: hashlib.sha256}
    for pcr, kind, data in events:
        log += struct.pack("<III", pcr, NAMES[kind], len(algorithms))
        for number, _ in algorithms:
            log += struct.pack("<H", number) + digests[number](data).digest()
        log += struct.pack("<I", len(data)) + data
    return log
