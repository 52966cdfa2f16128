"""What `moiety tee doctor` looks at: devices, drivers, services, collateral, clock, in words."""

import json
import os
import platform
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from moiety.enclave.attester import tsm
from moiety.enclave.attester.files import DEVICES, Files
from moiety.errors import AttestationFailed

TIMEOUT = 3.0
DAY = 86_400
SOON = 7
"""Days left of collateral below which a new one should be fetched."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: what it is, what was found, what to do about it."""

    what: str
    found: str
    todo: str = ""
    proves: bool = False
    """Whether it is hardware that this machine can prove what it runs by."""

    here: bool = True
    """False for what is not here, and need not be."""

    @property
    def line(self) -> str:
        """The finding in one line: ✓ good, ✗ something to do, · not here."""
        mark = "✗" if self.todo else "✓" if self.here else "·"
        return f"{mark} {self.what}: {self.found}" + (f" → {self.todo}" if self.todo else "")


@dataclass(frozen=True)
class Machine:
    """Where a machine shows what it has; tests give another root, files and time."""

    root: Path = Path("/")
    files: Files = DEVICES
    now: float | None = None
    release: str = ""
    """Of the kernel, such as `6.8.0-31`."""

    def at(self, path: str) -> Path:
        """A path below the root."""
        return self.root / path

    @property
    def time(self) -> float:
        """Seconds since 1970."""
        return time.time() if self.now is None else self.now

    @property
    def kernel(self) -> str:
        """The release of its kernel."""
        return self.release or platform.release()


HERE = Machine()


def look(*, pccs: str, collateral: Path | None, machine: Machine = HERE) -> Iterator[Finding]:
    """Everything that was found, in the order in which one sets a machine up."""
    yield _kernel(machine)
    yield _sgx(machine)
    yield _gramine(machine)
    yield _aesm(machine)
    yield _tsm(machine)
    yield _tpm(machine)
    yield _pccs(machine, pccs)
    yield _collateral(machine, collateral)
    yield _clock(machine)


def _kernel(machine: Machine) -> Finding:
    numbers = tuple(map(int, re.findall(r"\d+", machine.kernel)[:2]))
    can = "SGX, TDX and SEV-SNP" if numbers >= (6, 7) else "SGX" if numbers >= (5, 11) else ""
    if can == "SGX":
        return Finding(
            "kernel", f"Linux {machine.kernel}: new enough for SGX; TDX and SEV-SNP need 6.7"
        )
    old = "" if can else "use Linux 5.11 for SGX, 6.7 for TDX and SEV-SNP"
    return Finding(
        "kernel", f"Linux {machine.kernel}" + (f": new enough for {can}" if can else ""), old
    )


def _sgx(machine: Machine) -> Finding:
    """The host's two devices; whoever starts Gramine needs both."""
    devices = [machine.at("dev/sgx_enclave"), machine.at("dev/sgx_provision")]
    missing = [path.name for path in devices if not path.exists()]
    if len(missing) == len(devices):
        return _no_sgx(_flags(machine))
    if missing:
        return Finding(
            "SGX", f"no /dev/{missing[0]}", "load the kernel's own SGX driver, not an old one"
        )
    closed = [path.name for path in devices if not os.access(path, os.R_OK | os.W_OK)]
    if closed:
        return Finding("SGX", f"no right to open /dev/{closed[0]}", "join the group sgx_prv")
    return Finding("SGX", "/dev/sgx_enclave and /dev/sgx_provision can be opened", proves=True)


def _no_sgx(flags: frozenset[str]) -> Finding:
    """Why there is no device, by what the kernel says of the processor."""
    if "sgx" not in flags:
        todo = "enable SGX in the firmware, if the processor has it; a cloud must pass it on"
        return Finding("SGX", "the processor shows none", todo)
    if "sgx_lc" not in flags:
        todo = "enable Flexible Launch Control in the firmware; without it there is no DCAP"
        return Finding("SGX", "the processor has it, without launch control (sgx_lc)", todo)
    todo = "use a kernel with CONFIG_X86_SGX; inside a container, pass on /dev/sgx_enclave, too"
    return Finding("SGX", "the processor has it, but there is no /dev/sgx_enclave", todo)


def _flags(machine: Machine) -> frozenset[str]:
    """What the kernel says that the processor has; empty where it says nothing."""
    try:
        text = machine.at("proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return frozenset()
    found = re.search(r"^flags\s*:(.*)$", text, re.MULTILINE)
    return frozenset(found.group(1).split()) if found else frozenset()


def _gramine(machine: Machine) -> Finding:
    path = machine.at("dev/attestation/attestation_type")
    if not path.exists():
        todo = (
            "for SGX, start this by gramine-sgx" if machine.at("dev/sgx_enclave").exists() else ""
        )
        where = "this process does not run in an enclave of Gramine's"
        return Finding("Gramine", where, todo, here=False)
    try:
        kind = machine.files.read(path).decode("ascii", "replace").strip()
    except OSError as error:
        return Finding("Gramine", f"{path}: {error.strerror}", "run by gramine-sgx")
    if kind != "dcap":
        todo = 'set sgx.remote_attestation = "dcap" in the manifest, and run by gramine-sgx'
        return Finding("Gramine", f"attestation by {kind!r}", todo)
    return Finding("Gramine", "this is an SGX enclave, with attestation by DCAP", proves=True)


def _aesm(machine: Machine) -> Finding:
    """The service that has Intel's quoting enclave; only SGX asks it."""
    path = machine.at("var/run/aesmd/aesm.socket")
    if not machine.at("dev/sgx_enclave").exists():
        return Finding("AESM", "not needed without SGX", here=False)
    try:
        with socket.socket(socket.AF_UNIX) as door:
            door.settimeout(TIMEOUT)
            door.connect(str(path))
    except OSError as error:
        todo = "install sgx-aesm-service and libsgx-aesm-quote-ex-plugin, start aesmd"
        return Finding("AESM", f"{path} does not answer ({error.strerror or error})", todo)
    return Finding("AESM", f"answers at {path}")


def _tsm(machine: Machine) -> Finding:
    """Whether a virtual machine's driver makes a report, by having one made."""
    root = machine.at("sys/kernel/config/tsm/report")
    guests = [name for name in ("tdx_guest", "sev-guest") if machine.at(f"dev/{name}").exists()]
    if not root.exists():
        if not guests and "tdx_guest" in _flags(machine):
            return Finding("TDX or SEV-SNP", "a TD, without /dev/tdx_guest", "modprobe tdx_guest")
        todo = ""
        if guests:
            mounted = machine.at("sys/kernel/config").exists()
            todo = (
                "use Linux 6.7 or newer" if mounted else "mount -t configfs none /sys/kernel/config"
            )
        where = f"/dev/{guests[0]}, but no configfs-tsm" if guests else "not a machine under either"
        return Finding("TDX or SEV-SNP", where, todo, here=bool(guests))
    try:
        made = tsm.report(bytes(tsm.REPORT_DATA_SIZE), root=root, files=machine.files)
    except AttestationFailed as error:
        return Finding("TDX or SEV-SNP", str(error), "run as root; load tdx_guest or sev_guest")
    name = {tsm.TDX: "TDX", tsm.SNP: "SEV-SNP"}[made.provider]
    return Finding(name, f"{made.provider} made a report of {len(made.out):,} bytes", proves=True)


def _tpm(machine: Machine) -> Finding:
    """A TPM is told of, and is no TEE."""
    path = machine.at("dev/tpmrm0")
    if not path.exists():
        return Finding("TPM", "none; it would prove what was booted, and count", here=False)
    if not os.access(path, os.R_OK | os.W_OK):
        return Finding("TPM", "no right to open /dev/tpmrm0", "join the group tss")
    if find_spec("tpm2_pytss") is None:
        return Finding("TPM", "/dev/tpmrm0 can be opened", "pip install 'moiety[tpm]' to use it")
    return Finding("TPM", "/dev/tpmrm0 can be opened; it keeps nothing from the host by itself")


def _pccs(machine: Machine, told: str) -> Finding:
    address = told or _configured(machine)
    if not address:
        todo = "name one by --pccs HOST:PORT, or set pccs_url in /etc/sgx_default_qcnl.conf"
        return Finding("PCCS", "no address is set up; collateral must come as a file", todo)
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=TIMEOUT):
            return Finding("PCCS", f"answers at {address}")
    except (OSError, ValueError, OverflowError) as error:
        return Finding(
            "PCCS", f"does not answer at {address} ({error})", "start it, or open the way"
        )


def _configured(machine: Machine) -> str:
    """HOST:PORT of `pccs_url` in Intel's file, JSON with comments; empty if there is none."""
    try:
        text = machine.at("etc/sgx_default_qcnl.conf").read_text("utf-8", "replace")
    except OSError:
        return ""
    found = re.search(r'^\s*"pccs_url"\s*:\s*"https?://([^/"]+)', text, re.MULTILINE)
    address = found.group(1) if found else ""
    return address if ":" in address or not address else f"{address}:443"


def _collateral(machine: Machine, path: Path | None) -> Finding:
    """How old a file of collateral is, by its own words: nothing is verified here."""
    if path is None:
        return Finding("collateral", "no file was named (--collateral)", here=False)
    try:
        parts = json.loads(path.read_bytes())
        dates = [json.loads(parts[name]) for name in ("tcb_info", "qe_identity")]
        issued = min(datetime.fromisoformat(each["issueDate"]) for each in dates)
        until = min(datetime.fromisoformat(each["nextUpdate"]) for each in dates)
        age = (machine.time - issued.timestamp()) / DAY
        left = (until.timestamp() - machine.time) / DAY
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        why = type(error).__name__
        return Finding("collateral", f"{path} cannot be read ({why})", "get it anew from your PCCS")
    text = f"{age:.0f} days old, {left:.0f} days left"
    return Finding("collateral", text, "" if left >= SOON else "get it anew from your PCCS")


def _clock(machine: Machine) -> Finding:
    """A clock behind the files of this package has been set back, or was never set."""
    installed = max(path.stat().st_mtime for path in Path(__file__).parent.glob("*.py"))
    told = datetime.fromtimestamp(machine.time, UTC)
    if machine.time < installed - DAY:
        todo = "set the clock: collateral and certificates are valid for a time only"
        return Finding("clock", f"{told:%Y-%m-%d %H:%M} UTC, before moiety was installed", todo)
    return Finding("clock", f"{told:%Y-%m-%d %H:%M} UTC")
