"""A simulated platform: quotes and collateral in Intel's exact form, under its own root.

It walks the same path through the same verifier as hardware does, and shows every state that a
platform can be in. It protects nothing: whoever holds the platform's folder can quote anything.

    root.der                what a party pins
    root.pem, root.key      the vendor's root; likewise
    authority, platform, signer     the CA of platforms, the platform (PCK), the signer of TCB info
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from moiety.agreement.signing import write_private
from moiety.enclave.attester.authority import Chain, Holder, as_time, make_chain, pem_chain
from moiety.enclave.attester.documents import COLLATERAL_LIFE, make_collateral
from moiety.enclave.attester.quotes import make_quote
from moiety.enclave.attester.scenario import HEALTHY, Scenario
from moiety.enclave.evidence import pack
from moiety.enclave.measure import measurement
from moiety.errors import ConfigError, InternalError

CLOCK_SKEW = 300
"""Collateral is issued so many seconds ago, for a verifier's clock may be behind."""

_NAMES = ("root", "authority", "platform", "signer")


@dataclass(frozen=True)
class SimulationPlatform:
    """Vendor and platform in one: every key of the chain."""

    chain: Chain

    @property
    def root_der(self) -> bytes:
        """The root certificate that a party pins."""
        return self.chain.root.certificate.public_bytes(Encoding.DER)

    @classmethod
    def make(cls, *, now: int | None = None, flags: frozenset[str] = frozenset()) -> Self:
        """A new vendor and platform, in memory; `flags` are the platform flags it has."""
        present = int(time.time()) if now is None else now
        return cls(make_chain(as_time(present - COLLATERAL_LIFE), flags))

    @classmethod
    def create(cls, folder: Path, *, now: int | None = None) -> Self:
        """A new vendor and platform, kept in `folder`; ConfigError if one is there already."""
        platform = cls.make(now=now)
        for name in _NAMES:
            _save(folder, name, getattr(platform.chain, name))
        (folder / "root.der").write_bytes(platform.root_der)
        return platform

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The vendor and platform that `create` kept in `folder`."""
        return cls(Chain(*(_load(folder, name) for name in _NAMES)))

    def evidence(
        self, report_data: bytes, measured: bytes, now: int, scenario: Scenario = HEALTHY
    ) -> bytes:
        """Evidence over `report_data` at `now`, for code of that MRENCLAVE, or MRTD."""
        if (len(report_data), len(measured)) != (64, scenario.measured):
            raise InternalError(
                f"{len(report_data)} bytes of report data, {len(measured)} measured"
            )
        issued = now if scenario.issued is None else scenario.issued
        quote = make_quote(self.chain, report_data, measured, scenario)
        return pack(quote, make_collateral(self.chain, scenario, issued))


class SimulationAttester:
    """An `Attester` on a simulated platform, which reports the code that runs here."""

    def __init__(
        self,
        platform: SimulationPlatform,
        *,
        scenario: Scenario = HEALTHY,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._platform = platform
        self._scenario = scenario
        self._clock = clock
        self.production = False
        self.tee = "sim-tdx" if scenario.tdx else "sim-sgx"
        self.measurement = mr_td() if scenario.tdx else measurement()

    def quote(self, report_data: bytes) -> bytes:
        """Evidence over exactly these 64 bytes."""
        now = int(self._clock())
        scenario = self._scenario
        if scenario.issued is None:
            scenario = replace(scenario, issued=now - CLOCK_SKEW)
        return self._platform.evidence(report_data, self.measurement, now, scenario)


def mr_td() -> bytes:
    """What a simulated virtual machine reports of the code that runs here: 48 bytes."""
    return hashlib.sha384(measurement()).digest()


def _save(folder: Path, name: str, holder: Holder) -> None:
    key = holder.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_private(folder / f"{name}.key", key)
    (folder / f"{name}.pem").write_bytes(pem_chain(holder))


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
