"""The model leaves the enclave: as one additive share for each party, under one signed header.

Each share alone is uniformly random. With it goes correlated randomness for the batches that both
parties asked for, never for more predictions than the job states. A job has one model: a later run
gets material for the shares that its parties have kept, and no other model.
"""

import hashlib
import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from moiety.agreement.manifest import Job
from moiety.agreement.signing import SigningKey, verify
from moiety.enclave.job import Trained
from moiety.errors import PeerMisbehaved, PolicyRefused
from moiety.lang.types import SHARED
from moiety.learn.public_shape import SHAPE_SCHEMA, PublicShape
from moiety.message import decode, encode
from moiety.ring import Words
from moiety.run.dealing import Material, deal
from moiety.wire.channel import Channel
from moiety.wire.frame import Kind

LARGEST_BATCH = 4096

_DOMAIN = b"moiety model header v1\0"
_REQUEST = {"batches": list[int], "header": bytes}
_HEADER = {
    "job": bytes,
    "shape": SHAPE_SCHEMA,
    "simulated": bool,
    "measurement": bytes,
    "rows": int,
    "predictions": int,
    "shares": list[bytes],
}
_MODEL = {"header": bytes, "signature": bytes, "salt": bytes, "arrays": dict[str, bytes]}
_SALT = 32
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
    message: bytes = field(repr=False)
    """What the enclave sent: header, signature, salt and arrays, to be kept."""

    @property
    def digest(self) -> bytes:
        """SHA-256 of the header, which all parties have alike."""
        return hashlib.sha256(self.header).digest()

    def __repr__(self) -> str:
        mark = ", SIMULATED" if self.simulated else ""
        return f"ModelShare({self.shape.kind}, {len(self.arrays)} arrays{mark})"


def ask(channel: Channel, batches: list[int], kept: ModelShare | None = None) -> None:
    """Asks the enclave for material to score batches of these sizes; the peer must ask the same.

    With a share that was kept from an earlier run, for that model; else the enclave trains one.
    """
    header = kept.header if kept else b""
    channel.send(Kind.MATERIAL, encode({"batches": batches, "header": header}))


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
    batches, earlier = _asked(job, channels)
    if earlier:
        raise PolicyRefused("the parties bring data for a model, and ask for another")
    shape = trained.model.shape
    shares, salts = _split(trained.model.arrays), [secrets.token_bytes(_SALT) for _ in channels]
    header = encode(
        {
            "job": job.hash,
            "shape": shape.to_fields(),
            "simulated": not production,
            "measurement": measurement,
            "rows": trained.rows,
            "predictions": sum(batches),
            "shares": [_digest(*pair) for pair in zip(salts, shares, strict=True)],
        }
    )
    signature = signing.sign(header, _DOMAIN)
    for salt, share, channel in zip(salts, shares, channels.values(), strict=True):
        arrays = {name: words.tobytes() for name, words in share.items()}
        message = {"header": header, "signature": signature, "salt": salt, "arrays": arrays}
        channel.send(Kind.MODEL, encode(message))
    return _deal(job, shape, batches, channels)


def deal_again(job: Job, channels: Mapping[str, Channel]) -> int:
    """Deals for a model that an earlier run handed over; this enclave never sees that model.

    Raises:
        PolicyRefused: the parties ask for different batches or models, or for too many predictions.
    """
    batches, header = _asked(job, channels)
    if not header:
        raise PolicyRefused("the parties bring no data, and name no model that they have")
    facts = decode(header, _HEADER, _LIMIT)
    shape = PublicShape.from_fields(facts["shape"])
    check_shape(shape, job)
    if facts["job"] != job.hash:
        raise PolicyRefused("the parties name a model of another job")
    return _deal(job, shape, batches, channels)


def _deal(job: Job, shape: PublicShape, batches: list[int], channels: Mapping[str, Channel]) -> int:
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
    return read_share(channel.receive(Kind.MODEL, _LIMIT), job, party, signing_key)


def read_share(message: bytes, job: Job, party: int, signing_key: str) -> ModelShare:
    """The share in an enclave's message, as it came or as it was kept; raises as above."""
    said = decode(message, _MODEL, _LIMIT, sender="the enclave")
    header = said["header"]
    what = "the enclave on the model's header"
    verify(said["signature"], header, domain=_DOMAIN, key=signing_key, what=what)
    facts = decode(header, _HEADER, _LIMIT, sender="the enclave")
    shape = PublicShape.from_fields(facts["shape"])
    check_shape(shape, job)
    found = arrays(said["arrays"], shape, job)
    digest = _digest(said["salt"], found)
    if facts["job"] != job.hash or facts["shares"][party : party + 1] != [digest]:
        raise PeerMisbehaved("the enclave sent a share that its signed header does not name")
    return ModelShare(header, shape, facts["rows"], facts["simulated"], found, message)


def receive_material(channel: Channel) -> Material:
    """One lot of correlated randomness."""
    return Material.decode(channel.receive(Kind.MATERIAL, _MATERIAL_LIMIT), limit=_MATERIAL_LIMIT)


def _asked(job: Job, channels: Mapping[str, Channel]) -> tuple[list[int], bytes]:
    """The batches, and the header of a model that the parties have (empty: a new one)."""
    asked = [_request(channel) for channel in channels.values()]
    batches, header = asked[0]
    if any(other != (batches, header) for other in asked):
        raise PolicyRefused("the parties ask for different batches or models")
    if any(not 1 <= size <= LARGEST_BATCH for size in batches):
        raise PolicyRefused(f"a batch is of 1 to {LARGEST_BATCH} rows")
    if sum(batches) > job.predictions:
        raise PolicyRefused(
            f"the parties ask for {sum(batches)} predictions; the job states {job.predictions}",
            hint="score fewer applicants, or sign a job that states more",
        )
    return batches, header


def _request(channel: Channel) -> tuple[list[int], bytes]:
    limit = 1 << 20
    said = decode(channel.receive(Kind.MATERIAL, limit), _REQUEST, limit, sender=channel.peer)
    return said["batches"], said["header"]


def _split(arrays: Mapping[str, Words]) -> tuple[dict[str, Words], dict[str, Words]]:
    first = {name: _uniform(words) for name, words in arrays.items()}
    return first, {name: words - first[name] for name, words in arrays.items()}


def _uniform(like: Words) -> Words:
    drawn = np.frombuffer(secrets.token_bytes(like.nbytes), np.uint64)
    return drawn.reshape(like.shape)


def _digest(salt: bytes, share: Mapping[str, Words]) -> bytes:
    """Names a share in the header; the salt, told to its owner only, keeps guesses from a test."""
    digest = hashlib.sha256(salt)
    for name in sorted(share):
        digest.update(name.encode() + b"\0" + share[name].tobytes())
    return digest.digest()


def check_shape(shape: PublicShape, job: Job) -> None:
    """Refuses a model of another kind, or on other columns, than the job's."""
    columns = job.scored
    same = shape == PublicShape(job.model.kind, shape.counts, shape.missing, **job.model.sizes)
    sizes = [[len(own) for own in owned] for owned in (shape.counts, shape.missing)]
    bins = [count for own in shape.counts for count in own]
    if not same or sizes != [columns, columns] or not all(1 <= count <= 255 for count in bins):
        raise PeerMisbehaved("a model's header is of another model than the job's")


def arrays(sent: Mapping[str, bytes], shape: PublicShape, job: Job) -> dict[str, Words]:
    """The share's arrays: exactly the shared inputs of the model's program, in their shapes."""
    inputs = shape.program(1, job.index(job.scores_to)).inputs
    due = {name: type.shape for name, type in inputs.items() if type.owner == SHARED}
    sizes = {name: 8 * math.prod(shape) for name, shape in due.items()}
    if {name: len(data) for name, data in sent.items()} != sizes:
        raise PeerMisbehaved("the enclave sent a share of another shape than its header says")
    return {name: np.frombuffer(sent[name], np.uint64).reshape(due[name]) for name in sent}
