"""A short record of a made-up job, for tests."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from moiety.agreement.record import Record, verify_record
from moiety.errors import PolicyRefused

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
JOB = bytes(range(100, 132))
NOW = datetime(2026, 11, 23, 17, 22, tzinfo=UTC)
TIME = "2026-11-23T17:22:00.000+00:00"
EVENTS = (
    ("proposal", {"from": "lender", "purpose": "Kreditprüfung <2026> \u202e"}),
    ("approval", {"by": "payco", "rows": 4800}),
    ("evidence", {"tee": "simulation", "accepted": True, "advisory": None}),
    ("alignment", {"rows": 4321, "share": 0.5}),
    ("closed", {}),
)

quick = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
scalars = st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False)


def write(path: Path, events=EVENTS, *, key=KEY, job=JOB) -> Path:
    path.unlink(missing_ok=True)
    with Record.create(path, "payco", key, job, NOW) as record:
        for minute, (event, body) in enumerate(events, 1):
            record.append(event, body, NOW + timedelta(minutes=minute))
    return path


@pytest.fixture(scope="module")
def lines(tmp_path_factory) -> list[bytes]:
    path = write(tmp_path_factory.mktemp("record") / "record.jsonl")
    return path.read_bytes().splitlines(keepends=True)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "record.jsonl"


def refused(path: Path, content: bytes, key=None) -> str:
    path.write_bytes(content)
    with pytest.raises(PolicyRefused) as error:
        verify_record(path, key)
    return str(error.value)
