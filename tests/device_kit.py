"""Devices that behave as the kernel's and Gramine's do: they count, refuse, pad, race and forget.

An object stands in for the file operations, not a directory: ordinary files cannot count writes or
fail, and a pipe cannot tell one write from two.
"""

import errno
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from enclave_kit import MEASURED, NOW, PLATFORM
from moiety.enclave.attester.scenario import Scenario
from moiety.enclave.evidence import unpack

MRTD = bytes(range(48))
ROOT = Path("/tsm/report")
GRAMINE = Path("/attestation")
INBLOB_MAX = 64
PRIVLEVEL_MAX = 3


def failure(number, path=""):
    return OSError(number, os.strerror(number), str(path))


def sgx_quote(report_data, **scenario):
    return unpack(PLATFORM.evidence(report_data, MEASURED, NOW, Scenario(**scenario)))[0]


def tdx_quote(report_data, form="tdx-v4", **scenario):
    """A simulated quote in a driver's buffer, which has zeros behind it."""
    state = Scenario(form=form, **scenario)
    return unpack(PLATFORM.evidence(report_data, MRTD, NOW, state))[0] + bytes(70)


def snp_report(report_data, policy=0x30000):
    report = bytearray(1184)
    report[0x00:0x04] = (2).to_bytes(4, "little")
    report[0x08:0x10] = policy.to_bytes(8, "little")
    report[0x34:0x38] = (1).to_bytes(4, "little")
    report[0x50:0x90] = report_data
    report[0x90:0xC0] = MRTD
    return bytes(report)


@dataclass
class Entry:
    """One report's state in the kernel, as `drivers/virt/coco/tsm.c` keeps it."""

    write_generation: int = 0
    read_generation: int = 0
    inblob: bytes = b""
    privlevel: int = 0
    outblob: bytes = b""


class Kernel:
    """configfs-tsm: directories that are reports, and one driver (`None`: not loaded)."""

    def __init__(self, provider="tdx_guest", make=tdx_quote, *, aux=b"", floor=0, root=ROOT):
        self.root = root
        self.provider, self.make_report, self.aux, self.floor = provider, make, aux, floor
        self.entries = {}
        self.removed = []
        self.busy = []
        """Errors that reading `outblob` fails with first."""
        self.before_read = None
        """A racer: called with the entry before its report is made."""
        self.log = []

    def make(self, path):
        if path.parent != self.root:
            raise failure(errno.EPERM, path)
        if self.provider is None:
            raise failure(errno.ENXIO, path)
        if path in self.entries:
            raise failure(errno.EEXIST, path)
        self.entries[path] = Entry()

    def remove(self, path):
        if self.entries.pop(path, None) is None:
            raise failure(errno.ENOENT, path)
        self.removed.append(path)

    def _visible(self, path):
        """The entry of a file; what only SNP has does not exist for others."""
        entry = self.entries.get(path.parent)
        of_snp = ("privlevel", "privlevel_floor", "auxblob")
        if entry is None or (path.name in of_snp and self.provider != "sev_guest"):
            raise failure(errno.ENOENT, path)
        return entry

    def write(self, path, data):
        entry = self._visible(path)
        self.log.append((path.name, data))
        if path.name == "inblob":
            if len(data) > INBLOB_MAX:
                raise failure(errno.EFBIG, path)
            entry.inblob = bytes(data)
        elif path.name == "privlevel":
            if not self.floor <= int(data) <= PRIVLEVEL_MAX:
                raise failure(errno.EINVAL, path)
            entry.privlevel = int(data)
        else:
            raise failure(errno.EACCES, path)
        entry.write_generation += 1

    def read(self, path):
        entry = self._visible(path)
        texts = {
            "provider": f"{self.provider}\n",
            "generation": f"{entry.write_generation}\n",
            "privlevel_floor": f"{self.floor}\n",
        }
        if path.name in texts:
            return texts[path.name].encode()
        if path.name not in ("outblob", "auxblob"):
            raise failure(errno.EACCES, path)
        if path.name == "outblob" and self.before_read:
            self.before_read(entry)
        self._generate(entry, path)
        return entry.outblob if path.name == "outblob" else self.aux

    def _generate(self, entry, path):
        """Makes the report anew if anything was written since; drivers want all 64 bytes."""
        if not entry.inblob:
            raise failure(errno.EINVAL, path)
        if self.busy:
            raise failure(self.busy.pop(0), path)
        if entry.outblob and entry.read_generation == entry.write_generation:
            return
        if len(entry.inblob) != INBLOB_MAX:
            raise failure(errno.EINVAL, path)
        entry.outblob = self.make_report(entry.inblob)
        entry.read_generation = entry.write_generation


class Gramine:
    """/dev/attestation: pads what is short, cuts what is long, and is one for the whole process."""

    def __init__(self, kind="dcap", quote=sgx_quote, *, pause=0.0):
        self.kind, self.make_quote, self.pause = kind, quote, pause
        self.data = bytes(64)
        self.writes = []
        self.threads = set()

    def read(self, path):
        if path == GRAMINE / "attestation_type":
            return f"{self.kind}\n".encode()
        if path != GRAMINE / "quote" or self.kind == "none":
            raise failure(errno.ENOENT, path)
        time.sleep(self.pause)
        return self.make_quote(self.data)

    def write(self, path, data):
        if path != GRAMINE / "user_report_data":
            raise failure(errno.EACCES, path)
        self.threads.add(threading.get_ident())
        self.writes.append(data)
        self.data = data[:64].ljust(64, b"\0")
