"""The measurement of the code that runs here, which a simulated enclave reports as MRENCLAVE.

Covered: every Python file of the installed package, its compiled library, and name and version of
each direct dependency. Not covered: the interpreter and its library, the files of dependencies,
what they depend on, cached bytecode, the system below. Nobody but the host enforces it: the process
measures itself, so a host that wants to lie can. Hardware measures every page instead.
"""

import hashlib
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

LABEL = b"moiety measurement v1"
DEPENDENCIES = (
    "asn1crypto",
    "cbor2",
    "cryptography",
    "dcap-qvl",
    "dp-accounting",
    "jinja2",
    "lightgbm",
    "numpy",
    "pyarrow",
    "pyopenssl",
    "rich",
    "scikit-learn",
    "scipy",
    "typer",
)
_PACKAGE = Path(__file__).resolve().parent.parent
_LIBRARIES = ("_core*.so", "_core*.pyd")


def measurement() -> bytes:
    """SHA-256 over what is listed above: equal for equal code, 32 bytes."""
    return measure(_PACKAGE, ((name, version(name)) for name in DEPENDENCIES))


def measure(package: Path, dependencies: Iterable[tuple[str, str]]) -> bytes:
    """SHA-256 over the sorted paths and file hashes of a package, then sorted name==version."""
    paths = [*package.rglob("*.py"), *(each for glob in _LIBRARIES for each in package.glob(glob))]
    files = sorted((path.relative_to(package).as_posix(), path) for path in paths)
    whole = hashlib.sha256(LABEL + len(files).to_bytes(8, "little"))
    for name, path in files:
        _absorb(whole, name.encode(), hashlib.sha256(path.read_bytes()).digest())
    for requirement in sorted(f"{name}=={number}" for name, number in dependencies):
        _absorb(whole, requirement.encode())
    return whole.digest()


def _absorb(whole: "hashlib._Hash", *parts: bytes) -> None:
    for part in parts:
        whole.update(len(part).to_bytes(8, "little") + part)
