"""The model leaves the enclave: as one additive share for each party, under one signed header.

Each share alone is uniformly random. With it goes correlated randomness for the batches that both
parties asked for, never for more predictions than the job states.
"""

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from moiety.agreement.manifest import Job
from moiety.agreement.signing import SigningKey, verify
from moiety.enclave.job import Trained
from moiety.errors import PeerMisbehaved, PolicyRefused
from moiety.learn.secret_model import SHAPE_SCHEMA, PublicShape
from moiety.message import decode, encode
from moiety.ring import Words
from moiety.run.dealing import Material, deal
from moiety.wire.channel import Channel
from moiety.wire.frame import Kind

LARGEST_BATCH = 4096

_DOMAIN = b"moiety model header v1\0"
_REQUEST = {"batches": list[int]}
_HEADER = {
    "job": bytes,
    "shape": SHAPE_SCHEMA,
    "simulated": bool,
    "measurement": bytes,
    "rows": int,
    "predictions": int,
    "shares": list[bytes],
}
_MODEL = {"header": bytes, "signature": bytes, "arrays": dict[str, bytes]}
_LIMIT = 1 << 28
_MATERIAL_LIMIT = 1 << 31


@dataclass(frozen=True)
class ModelShare:
    """One party's share of a model, and the header that the enclave signed for all parties."""

    header: bytes
    shape: PublicShape
    rows: int
    simulated: bool
    arrays: dict[str, Words]

    @property
    def digest(self) -> bytes:
        """SHA-256 of the header, which all parties have alike."""
        return hashlib.sha256(self.header).digest()

    def __repr__(self) -> str:
        mark = ", SIMULATED" if self.simulated else ""
        return f"ModelShare({self.shape.kind}, {len(self.arrays)} arrays{mark})"


def ask(channel: Channel, batches: list[int]) -> None:
    """Asks the enclave for material to score batches of these sizes; the peer must ask the same."""
    channel.send(Kind.MATERIAL, encode({"batches": batches}))


def hand_over(
    job: Job,
    trained: Trained,
    *,
    signing: SigningKey,
    production: bool,
    measurement: bytes,
    channels: Mapping[str, Channel],
) -> int:
    """Sends each party its share and its material; returns the number of predictions dealt for.

    Raises:
        PolicyRefused: the parties ask for different batches, or for more than the job states.
    """
    batches = _asked(job, channels)
    shape = trained.model.shape
    shares = _split(trained.model.arrays)
    header = encode(
        {
            "job": job.hash,
            "shape": shape.to_fields(),
            "simulated": not production,
            "measurement": measurement,
            "rows": trained.rows,
            "predictions": sum(batches),
            "shares": [_digest(share) for share in shares],
        }
    )
    signature = signing.sign(header, _DOMAIN)
    for share, channel in zip(shares, channels.values(), strict=True):
        arrays = {name: words.tobytes() for name, words in share.items()}
        message = {"header": header, "signature": signature, "arrays": arrays}
        channel.send(Kind.MODEL, encode(message))
    for size in batches:
        program = shape.program(size, job.index(job.scores_to))
        for material, channel in zip(deal(program), channels.values(), strict=True):
            channel.send(Kind.MATERIAL, material.encode())
    return sum(batches)


def receive_share(channel: Channel, job: Job, party: int, signing_key: str) -> ModelShare:
    """This party's share, under a header signed by the key that was bound in the evidence.

    Raises:
        PolicyRefused: the signature is not the attested enclave's.
        PeerMisbehaved: the header is of another job, or the share is not the one it names.
    """
    said = decode(channel.receive(Kind.MODEL, _LIMIT), _MODEL, _LIMIT, sender="the enclave")
    header = said["header"]
    what = "the enclave on the model's header"
    verify(said["signature"], header, domain=_DOMAIN, key=signing_key, what=what)
    facts = decode(header, _HEADER, _LIMIT, sender="the enclave")
    shape = PublicShape.from_fields(facts["shape"])
    shapes = _shared_inputs(shape, job)
    arrays = {name: _words(data, shapes.get(name)) for name, data in said["arrays"].items()}
    if facts["job"] != job.hash or facts["shares"][party] != _digest(arrays):
        raise PeerMisbehaved("the enclave sent a share that its signed header does not name")
    return ModelShare(header, shape, facts["rows"], facts["simulated"], arrays)


def receive_material(channel: Channel) -> Material:
    """One lot of correlated randomness."""
    return Material.decode(channel.receive(Kind.MATERIAL, _MATERIAL_LIMIT), limit=_MATERIAL_LIMIT)


def _asked(job: Job, channels: Mapping[str, Channel]) -> list[int]:
    asked = [_request(channel) for channel in channels.values()]
    batches = asked[0]
    if any(other != batches for other in asked):
        raise PolicyRefused("the parties ask for material for different batches")
    if any(not 1 <= size <= LARGEST_BATCH for size in batches):
        raise PolicyRefused(f"a batch is of 1 to {LARGEST_BATCH} rows")
    if sum(batches) > job.predictions:
        raise PolicyRefused(
            f"the parties ask for {sum(batches)} predictions; the job states {job.predictions}",
            hint="score fewer applicants, or sign a job that states more",
        )
    return batches


def _request(channel: Channel) -> list[int]:
    limit = 1 << 20
    batches: list[int] = decode(channel.receive(Kind.MATERIAL, limit), _REQUEST, limit)["batches"]
    return batches


def _split(arrays: Mapping[str, Words]) -> tuple[dict[str, Words], dict[str, Words]]:
    first = {name: _uniform(words) for name, words in arrays.items()}
    return first, {name: words - first[name] for name, words in arrays.items()}


def _uniform(like: Words) -> Words:
    drawn = np.frombuffer(secrets.token_bytes(like.nbytes), np.uint64)
    return drawn.reshape(like.shape)


def _digest(share: Mapping[str, Words]) -> bytes:
    digest = hashlib.sha256()
    for name in sorted(share):
        digest.update(name.encode() + b"\0" + share[name].tobytes())
    return digest.digest()


def _shared_inputs(shape: PublicShape, job: Job) -> dict[str, tuple[int, ...]]:
    program = shape.program(1, job.index(job.scores_to))
    return {name: type.shape for name, type in program.inputs.items()}


def _words(data: bytes, shape: tuple[int, ...] | None) -> Words:
    if shape is None or len(data) != 8 * int(np.prod(shape)):
        raise PeerMisbehaved("the enclave sent a share of another shape than its header says")
    return np.frombuffer(data, np.uint64).reshape(shape)
