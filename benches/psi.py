"""Private set intersection of two processes, against peers in their own environments.

Every party is one process on one core. moiety speaks TLS 1.3; the peers speak plain TCP, which is
to their advantage. Both parties of moiety and of SPU learn the intersection; of OpenMined's, one.
"""

import json
import socket
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from machine import ROOT, pin

from moiety.protocols.intersection import Limits
from moiety.run.session import Session
from moiety.wire.certificates import Credentials, fingerprint, make_credentials
from moiety.wire.tls import connect, listen

ITEMS, COMMON = 100_000, 50_000
PATIENCE, REPEATS = 180, 2
PEERS = ROOT / "benches" / "peers"
KINDS = (
    ("OpenMined PSI 2.0.6, ECDH on P-256", "openmined-psi==2.0.6", "openmined.py", ()),
    ("SPU 0.9.5, ECDH on Curve25519", "spu==0.9.5", "spu_psi.py", ("ecdh",)),
    ("SPU 0.9.5, RR22 (vector OLE)", "spu==0.9.5", "spu_psi.py", ("rr22",)),
)


def measure():
    """One row for each system: seconds of the slower party (wall, processor), or why not."""
    rows = [_row("moiety, ECDH on ristretto255", _ours)]
    for name, package, script, more in KINDS:
        rows.append(_row(name, lambda p=package, s=script, m=more: _theirs(p, s, m)))
    return {"items": ITEMS, "common": COMMON, "rows": rows}


def _row(name, work):
    """The fastest of a few runs: other work on the machine only makes one slower."""
    try:
        return {"name": name, **min((work() for _ in range(REPEATS)), key=lambda r: r["seconds"])}
    except (RuntimeError, subprocess.SubprocessError, OSError, ValueError) as error:
        return {"name": name, "skipped": str(error)}


def _ours():
    with tempfile.TemporaryDirectory() as folder:
        for party in (0, 1):
            made = make_credentials(f"party{party}", 1)
            Path(folder, f"{party}.pem").write_bytes(made.certificate_pem)
            Path(folder, f"{party}.key").write_bytes(made.key_pem)
        command, port = [sys.executable, __file__, "party"], str(_port())
        return _pair([[*command, str(party), port, folder] for party in (0, 1)])


def _theirs(package, script, more):
    python, port = _environment(package), _port()
    with tempfile.TemporaryDirectory() as folder:
        extra = [folder, *more] if more else []
        sizes = [str(port), str(ITEMS), str(COMMON)]
        return _pair([[python, PEERS / script, str(p), *sizes, *extra] for p in (0, 1)])


def _environment(package):
    """The interpreter of an environment that has the package; made once."""
    home = ROOT / ".venv" / "peers" / package.replace("==", "-")
    python = home / "bin" / "python"
    if not (home / "ready").exists():
        venv.create(home, with_pip=True, clear=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run([*install, package], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{package} could not be installed for this Python")
        (home / "ready").touch()
    return python


def _pair(commands):
    """Runs both parties, each on its core; what the slower one says, and what both sent."""
    running = [
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            preexec_fn=lambda party=party: pin(party),
        )
        for party, command in enumerate(commands)
    ]
    try:
        said = [_last(process.communicate(timeout=PATIENCE)[0]) for process in running]
    finally:
        for process in running:
            process.kill()
    return {
        "seconds": max(each["seconds"] for each in said),
        "cpu": max(each["cpu"] for each in said),
        "sent": [each["sent"] for each in said],
        "common": [each["common"] for each in said],
    }


def _last(output):
    lines = [line for line in output.splitlines() if line.startswith("{")]
    if not lines:
        raise RuntimeError("a party ended without a result")
    return json.loads(lines[-1])


def _port():
    """A free port with a free one after it."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def party(number, port, folder):
    """One party of moiety's intersection; prints one line of JSON."""
    made = [
        Credentials(Path(folder, f"{p}.pem").read_bytes(), Path(folder, f"{p}.key").read_bytes())
        for p in (0, 1)
    ]
    own, peer = made[number], fingerprint(made[1 - number].certificate)
    if number == 0:
        with listen(f"127.0.0.1:{port}", credentials=own) as door:
            channel = door.accept({"party1": peer})
    else:
        channel = connect(f"127.0.0.1:{port}", "party0", credentials=own, pinned=peer)
    first = number * (ITEMS - COMMON)
    items = [f"person {n}".encode() for n in range(first, first + ITEMS)]
    session = Session(channel, number)
    began, worked = time.perf_counter(), time.process_time()
    found = session.intersect(items, b"bench", Limits(max_peer=ITEMS, min_common=COMMON))
    seconds, cpu = time.perf_counter() - began, time.process_time() - worked
    sent = session.ledger[0].measured.sent
    channel.finish()
    print(json.dumps({"seconds": seconds, "cpu": cpu, "sent": sent, "common": len(found.rows)}))


if __name__ == "__main__" and sys.argv[1:2] == ["party"]:
    party(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
elif __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
