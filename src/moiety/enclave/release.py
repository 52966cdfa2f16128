"""Accepted → ReleasedKey: a data key wrapped to the enclave that the evidence speaks of.

HPKE (RFC 9180), base mode: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. The public key is
the one bound in the evidence; `info` holds the job's hash and the data set's id, so that the key
opens for no other job and no other data set.
"""

from dataclasses import InitVar, dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from moiety.enclave.capsule import KEY_SIZE, DataKey
from moiety.enclave.policy import Accepted
from moiety.errors import AttestationFailed, InternalError, PolicyRefused

DOMAIN = b"moiety key release v1"
WRAPPED_SIZE = 32 + KEY_SIZE + 16

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_SEAL = object()


@dataclass(frozen=True)
class ReleasedKey:
    """A data key for one data set, which only the accepted enclave can unwrap."""

    data_set: str
    job_hash: bytes
    production: bool
    """False where a simulation holds the key: then its host can have it too."""
    wrapped: bytes = field(repr=False)
    """Encapsulated key (32 bytes), then ciphertext and tag."""
    seal: InitVar[object]

    def __post_init__(self, seal: object) -> None:
        if seal is not _SEAL:
            raise InternalError("ReleasedKey is made by release only")


def release(accepted: Accepted, key: DataKey, data_set: str) -> ReleasedKey:
    """The key of `data_set`, wrapped to the HPKE key and the job that the evidence is bound to."""
    claim = accepted.authentic.binding.claim
    public = X25519PublicKey.from_public_bytes(claim.hpke_key)
    try:
        wrapped = _SUITE.encrypt(key.reveal(), public, _info(claim.job_hash, data_set))
    except ValueError as error:
        raise AttestationFailed("the enclave's HPKE key is not usable") from error
    return ReleasedKey(data_set, claim.job_hash, accepted.production, wrapped, _SEAL)


def unwrap(wrapped: bytes, private: X25519PrivateKey, job_hash: bytes, data_set: str) -> DataKey:
    """The data key, inside the enclave; PolicyRefused if it was wrapped for anything else."""
    if len(wrapped) != WRAPPED_SIZE:
        raise PolicyRefused(f"a wrapped key has {WRAPPED_SIZE} bytes, not {len(wrapped)}")
    try:
        return DataKey(_SUITE.decrypt(wrapped, private, _info(job_hash, data_set)))
    except (InvalidTag, ValueError) as error:
        raise PolicyRefused(
            f"the key of data set {data_set!r} was not released to this enclave for this job",
            hint="its owner attests the enclave again and releases the key for this job",
        ) from error


def _info(job_hash: bytes, data_set: str) -> bytes:
    """Domain, job hash (32 bytes), data-set id: the first two of fixed length, so injective."""
    if len(job_hash) != 32:
        raise InternalError(f"a job hash has 32 bytes, not {len(job_hash)}")
    return DOMAIN + job_hash + data_set.encode()
