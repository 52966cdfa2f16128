"""A simulated SGX platform: quotes and collateral in Intel's exact form, under its own root.

It walks the same path through the same verifier as hardware does, and shows every state that a
platform can be in. It protects nothing: whoever holds the platform's folder can quote anything.

    root.der               what a party pins
    root.pem, root.key     the vendor's root; each pair likewise:
    authority.* platform.* signer.*    CA of platforms, the platform (PCK), signer of TCB info
"""

import hashlib
import json
import secrets
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from moiety.agreement.signing import write_private
from moiety.enclave.attester import authority
from moiety.enclave.attester.authority import Holder, as_time, pem_chain, public_point, sign_raw
from moiety.enclave.evidence import PCK_CHAIN, SGX_QUOTE_VERSION, SGX_TEE_TYPE, pack
from moiety.enclave.measure import measurement
from moiety.enclave.verify import SIMULATION_NAME
from moiety.errors import ConfigError, InternalError

DAY = 86_400
COLLATERAL_LIFE = 30 * DAY
INTEL_QE = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
MR_SIGNER = hashlib.sha256(f"{SIMULATION_NAME} signer".encode()).digest()
QE_SIGNER = hashlib.sha256(f"{SIMULATION_NAME} quoting enclave".encode()).digest()
ISV_PROD_ID = 1
ISV_SVN = 1

_HOLDERS = ("root", "authority", "platform", "signer")
_FLAGS = 0x05
_DEBUG = 0x02


@dataclass(frozen=True)
class SimulationPlatform:
    """Vendor and platform in one: every key of the chain."""

    root: Holder
    authority: Holder
    platform: Holder
    signer: Holder

    @property
    def root_der(self) -> bytes:
        """The root certificate that a party pins."""
        return self.root.certificate.public_bytes(Encoding.DER)

    @classmethod
    def make(cls, *, now: int | None = None, flags: frozenset[str] = frozenset()) -> Self:
        """A new vendor and platform, in memory; `flags` are the platform flags it has."""
        since = as_time((int(time.time()) if now is None else now) - COLLATERAL_LIFE)
        root = authority.make_root(since)
        ca = authority.make_authority(root, since)
        platform = authority.make_platform(ca, since, flags)
        return cls(root, ca, platform, authority.make_signer(root, since))

    @classmethod
    def create(cls, folder: Path, *, now: int | None = None) -> Self:
        """A new vendor and platform, kept in `folder`; ConfigError if one is there already."""
        platform = cls.make(now=now)
        for name in _HOLDERS:
            holder = getattr(platform, name)
            key = holder.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            write_private(folder / f"{name}.key", key)
            (folder / f"{name}.pem").write_bytes(pem_chain(holder))
        (folder / "root.der").write_bytes(platform.root_der)
        return platform

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The vendor and platform that `create` kept in `folder`."""
        return cls(*(_load(folder, name) for name in _HOLDERS))

    def evidence(
        self, report_data: bytes, mr_enclave: bytes, now: int, scenario: Scenario | None = None
    ) -> bytes:
        """Evidence over `report_data` for an enclave of that measurement, at `now`."""
        state = scenario or Scenario()
        issued = now if state.issued is None else state.issued
        quote = self._quote(report_data, mr_enclave, state)
        return pack(quote, json.dumps(self._collateral(state, issued)).encode())


class SimulationAttester:
    """An `Attester` on a simulated platform; its measurement is that of the code that runs here."""

    def __init__(
        self,
        platform: SimulationPlatform,
        *,
        scenario: Scenario | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._platform = platform
        self._scenario = scenario
        self._clock = clock
        self.measurement = measurement()

    def quote(self, report_data: bytes) -> bytes:
        """Evidence over exactly these 64 bytes."""
        now = int(self._clock())
        return self._platform.evidence(report_data, self.measurement, now, self._scenario)


def _load(folder: Path, name: str) -> Holder:
    try:
        certificate = x509.load_pem_x509_certificate((folder / f"{name}.pem").read_bytes())
        key = load_pem_private_key((folder / f"{name}.key").read_bytes(), password=None)
    except (OSError, ValueError) as error:
        hint = "SimulationPlatform.create makes one"
        raise ConfigError(f"{folder} holds no simulated platform: {name}", hint=hint) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigError(f"{folder / name}.key is not an elliptic-curve key")
    return Holder(certificate, key)
