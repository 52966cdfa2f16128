"""From accepted to a released key, which opens in that enclave, for that job and data set only."""

import hashlib
from dataclasses import replace

import pytest
from cryptography.hazmat.bindings._rust import openssl
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from enclave_kit import BINDING, CLAIM, MEASURED, PLATFORM, authentic
from moiety.enclave.capsule import DataKey
from moiety.enclave.policy import Accepted, EnclavePolicy
from moiety.enclave.release import _SUITE, ReleasedKey, release, unwrap
from moiety.errors import AttestationFailed, InternalError, PolicyRefused

HPKE = X25519PrivateKey.generate()
POLICY = EnclavePolicy(
    measurements=frozenset({MEASURED}),
    tcb_statuses=frozenset({"UpToDate"}),
    max_age=0,
    allow_simulation=True,
    simulation_root_sha256=hashlib.sha256(PLATFORM.root_der).digest(),
)


def accepted(hpke_key: bytes | None = None) -> Accepted:
    key = hpke_key or HPKE.public_key().public_bytes_raw()
    return POLICY.accept(authentic(replace(BINDING, claim=replace(CLAIM, hpke_key=key))))


def test_a_released_key_opens_in_the_enclave_that_the_evidence_names() -> None:
    key = DataKey.random()
    released = release(accepted(), key, "clients")
    assert unwrap(released.wrapped, HPKE, CLAIM.job_hash, "clients") == key
    assert (released.data_set, released.job_hash) == ("clients", CLAIM.job_hash)
    assert not released.production
    assert released.wrapped != release(accepted(), key, "clients").wrapped
    assert key.reveal() not in released.wrapped
    assert released.wrapped.hex() not in repr(released) and str(released.wrapped) not in repr(
        released
    )


def test_a_key_opens_for_nothing_else() -> None:
    wrapped = release(accepted(), DataKey.random(), "clients").wrapped
    for attempt in (
        (X25519PrivateKey.generate(), CLAIM.job_hash, "clients"),
        (HPKE, bytes(32), "clients"),
        (HPKE, CLAIM.job_hash, "client"),
        (HPKE, CLAIM.job_hash, "applicants"),
    ):
        with pytest.raises(PolicyRefused, match="was not released to this enclave"):
            unwrap(wrapped, *attempt)


@given(st.integers(0, 79), st.integers(1, 255))
def test_an_altered_wrapped_key_is_refused(at: int, change: int) -> None:
    wrapped = bytearray(release(accepted(), DataKey.random(), "clients").wrapped)
    wrapped[at] ^= change
    with pytest.raises(PolicyRefused):
        unwrap(bytes(wrapped), HPKE, CLAIM.job_hash, "clients")


@given(st.binary(max_size=120))
def test_any_bytes_as_a_wrapped_key_are_refused(wrapped: bytes) -> None:
    with pytest.raises(PolicyRefused):
        unwrap(wrapped, HPKE, CLAIM.job_hash, "clients")


def test_a_low_order_key_is_refused() -> None:
    """X25519 with an all-zero public key gives an all-zero secret, known to everybody."""
    with pytest.raises(AttestationFailed, match="not usable"):
        release(accepted(bytes(32)), DataKey.random(), "clients")


def test_hpke_opens_the_published_vector() -> None:
    """RFC 9180 test vectors (cfrg/draft-irtf-cfrg-hpke, test-vectors.json): base mode, X25519,
    HKDF-SHA256, AES-256-GCM, first encryption."""
    private = X25519PrivateKey.from_private_bytes(
        bytes.fromhex("497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d")
    )
    assert private.public_key().public_bytes_raw() == bytes.fromhex(
        "430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c"
    )
    sealed = bytes.fromhex(
        "6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256"
        "e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be9931980a41de125a925cdad859d5b7a"
    )
    info = b"Ode on a Grecian Urn"
    opened = openssl.hpke._decrypt_with_aad(_SUITE, sealed, private, info, b"Count-0")
    assert opened == b"Beauty is truth, truth beauty"


def test_states_are_not_made_by_hand() -> None:
    released = release(accepted(), DataKey.random(), "clients")
    for state, field in ((accepted(), "production"), (released, "production")):
        with pytest.raises((ValueError, TypeError)):
            replace(state, **{field: True})
        with pytest.raises(InternalError):
            replace(state, **{field: True}, seal=object())
        with pytest.raises(AttributeError):
            setattr(state, field, True)
    with pytest.raises(InternalError):
        ReleasedKey("clients", bytes(32), True, b"", None)
