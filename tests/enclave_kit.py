"""What the enclave's tests share: one simulated platform, one binding, and the recorded quote."""

import os
import struct
from datetime import UTC, datetime
from pathlib import Path

import pytest

from moiety.enclave.attester.scenario import Scenario
from moiety.enclave.attester.simulation import SimulationPlatform
from moiety.enclave.binding import Binding, Claim
from moiety.enclave.evidence import Evidence, pack
from moiety.enclave.verify import Authentic, SimulationVerifier

NOW = 1_800_000_000
DAY = 86_400
RECORDED_AT = int(datetime(2025, 7, 19, 8, tzinfo=UTC).timestamp())
"""Within the month for which the recorded quote's collateral is valid."""

MEASURED = bytes(range(32))
PLATFORM = SimulationPlatform.make(now=NOW)
VERIFIER = SimulationVerifier(PLATFORM.root_der)
CLAIM = Claim(
    verifier="lender",
    enclave="enclave",
    verifier_nonce=bytes([1] * 32),
    enclave_nonce=bytes([2] * 32),
    job_hash=bytes([3] * 32),
    hpke_key=bytes([4] * 32),
    signing_key=bytes([5] * 32),
)
BINDING = Binding(CLAIM, bytes([6] * 32), bytes([7] * 32), bytes([8] * 32))


class About:
    """Stands for a binding where a quote was made about given report data."""

    def __init__(self, report_data: bytes) -> None:
        self.report_data = report_data


def quoted(binding: Binding, **scenario: object) -> Evidence:
    """Simulated evidence about a binding."""
    data = PLATFORM.evidence(binding.report_data, MEASURED, NOW, Scenario(**scenario))
    return Evidence.parse(data)


def authentic(binding: Binding = BINDING, **scenario: object) -> Authentic:
    """The same, verified."""
    return VERIFIER.verify(quoted(binding, **scenario), binding, now=NOW)


def split(message: bytes) -> tuple[bytes, bytes]:
    """Quote and collateral of an evidence message."""
    length = struct.unpack_from("<I", message)[0]
    return message[8 : 8 + length], message[8 + length :]


def recorded() -> bytes:
    """Evidence with a quote of real SGX hardware, or a skip that says what is missing."""
    return recorded_quote("sgx")


def recorded_quote(kind: str) -> bytes:
    """Evidence with a quote of real hardware, `sgx` or `tdx`."""
    return pack(vector(f"{kind}_quote"), vector(f"{kind}_quote_collateral.json"))


def vector(name: str) -> bytes:
    """A file of recorded evidence, or a skip that says what is missing."""
    return vector_path(name).read_bytes()


def vector_path(name: str) -> Path:
    """Where a file of recorded evidence is, or a skip that says what is missing."""
    beside = Path(__file__).parents[2] / "shared" / "vectors"
    folder = Path(os.environ.get("MOIETY_VECTORS", beside)) / "attestation"
    if not folder.is_dir():
        required = os.environ.get("CI") and os.environ.get("MOIETY_REQUIRE_VECTORS") == "1"
        (pytest.fail if required else pytest.skip)(
            f"no recorded quotes in {folder}: set MOIETY_VECTORS"
        )
    return folder / name
