"""Correlated randomness that was dealt ahead of a run, on the disk of a party that computes.

A lot is a file. Who takes it gives the file another name, and that is on the disk before the lot
is used: a crash loses lots and gives none out twice. A stock serves one run, from its first lot on;
both parties must have the same one, and what a run leaves of it is thrown away.
"""

import hashlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from moiety.errors import MaterialError, PeerMisbehaved, UsageError
from moiety.message import decode, encode
from moiety.party.files import private_folder, rename_file, replace_file, write_file
from moiety.plan.bill import Bill
from moiety.run.dealing import LOT, SEED, Lot, MaskUse, Material
from moiety.run.supply import request

_HEADER: dict[str, Any] = {"lot": bytes, "order": bytes, "plan": bytes, "seed": bytes}
_LABEL: dict[str, Any] = {"lots": int, "record": str, "seen": bytes, "simulated": bool}
_LIMIT, _LENGTH = 4096, 2
HINT = "run the job again: it will ask the dealer, or a new `moiety offline`"


@dataclass(frozen=True)
class Label:
    """What a stock says of itself."""

    lots: int
    record: str
    """The record of the run that made it."""
    seen: bytes
    """SHA-256 over all lots: alike at both parties."""
    simulated: bool
    """Whether a simulated enclave dealt it."""


@dataclass
class Stock:
    """The lots in one folder, for one party, in the order of their use."""

    folder: Path
    party: int
    bytes: int = field(default=0, init=False)
    """Written so far."""
    _at: int = field(default=0, init=False)
    _seen: Any = field(default_factory=hashlib.sha256, init=False, repr=False)

    def clear(self) -> None:
        """Throws all lots away."""
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def put(self, bill: Bill, runs: int, masks: Mapping[str, MaskUse], material: Material) -> None:
        """Keeps a lot as the next one; nobody else may spend it."""
        private_folder(self.folder)
        lot, order = material.lot, _order(bill, runs, masks)
        header = {"lot": lot.lot, "order": order, "plan": lot.plan, "seed": lot.seed}
        self.bytes += write_file(self._path(self._at), _pieces(encode(header), material))
        self._at += 1
        self._seen.update(lot.lot + order)

    def seal(self, record: str, *, simulated: bool) -> Label:
        """Labels the stock: only now it may be used."""
        self._seen.update(bytes([simulated]))
        label = Label(self._at, record, self._seen.digest(), simulated)
        replace_file(self._label, encode(vars(label)))
        return label

    def label(self) -> Label | None:
        """What the stock says of itself; None if it is not whole.

        Raises:
            UsageError: somebody changed the file.
        """
        if not self._label.exists():
            return None
        try:
            label = Label(**decode(self._label.read_bytes(), _LABEL, _LIMIT))
        except PeerMisbehaved as error:
            raise UsageError(
                f"{self._label} is not as it was written", hint="remove its folder"
            ) from error
        whole = all(self._path(at).exists() for at in range(label.lots))
        return label if whole else None

    def open(self) -> None:
        """From now on lots may be taken, and this stock serves no other run."""
        rename_file(self._label, "opened")
        self._at = 0

    def lot(self, bill: Bill, runs: int, masks: Mapping[str, MaskUse]) -> Material:
        """The next lot, which nobody finds again.

        Raises:
            MaterialError: it was made for something else, or there is none left.
        """
        path = self._path(self._at)
        if not path.exists():
            raise MaterialError("what was dealt ahead is used up", hint=HINT)
        taken = rename_file(path, f"{path.stem}.taken")
        self._at += 1
        try:
            header, size = _header(taken)
        except PeerMisbehaved as error:
            raise MaterialError(f"{path} is not as it was written", hint=HINT) from error
        lengths = (len(header["lot"]), len(header["seed"]))
        if lengths != (LOT, SEED) or header["order"] != _order(bill, runs, masks):
            raise MaterialError("what was dealt ahead is for another computation", hint=HINT)
        lot = Lot(self.party, header["lot"], header["plan"], header["seed"], runs)
        return Material(lot, _corrections(taken, size, [bill.sizes[self.party]] * runs))

    def finish(self) -> None:
        """Throws away what the run left."""
        self.clear()

    @property
    def _label(self) -> Path:
        return self.folder / "label"

    def _path(self, at: int) -> Path:
        return self.folder / f"{at:06}.lot"


def _order(bill: Bill, runs: int, masks: Mapping[str, MaskUse]) -> bytes:
    """What a lot is for: the very request that a dealer is sent."""
    return hashlib.sha256(request(bill, runs, masks)).digest()


def _pieces(header: bytes, material: Material) -> Iterator[bytes]:
    yield len(header).to_bytes(_LENGTH, "little") + header
    yield from map(bytes, material.open())


def _header(path: Path) -> tuple[dict[str, Any], int]:
    """What a lot's file says of it, and where its corrections begin."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(_LENGTH), "little")
        return decode(file.read(size), _HEADER, _LIMIT, sender="the stock"), file.tell()


def _corrections(path: Path, begin: int, sizes: Sequence[int]) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(begin)
        # its name goes first: who reads it last asks for no more
        path.unlink()
        for size in sizes:
            yield file.read(size)
