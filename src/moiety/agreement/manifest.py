"""The job that all parties sign: who, which columns, which model, who receives what."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from moiety.agreement.fields import Fields, parse_toml, read_file
from moiety.agreement.model import Model, read_model
from moiety.agreement.representation import Representation, read_representation
from moiety.agreement.signing import public_key
from moiety.errors import ConfigError

LEAKAGE = ("fast", "constant-flow")
"""Profiles of what the enclave's host may see of its memory addresses and branches."""


@dataclass(frozen=True)
class Member:
    """One data owner of a job: its pinned keys, its columns, and the tables it brings."""

    name: str
    certificate: str
    """`sha256:` fingerprint of its TLS certificate."""
    signing_key: str
    """`ed25519:` public key under which it signs the job."""
    train: str
    score: str
    columns: tuple[str, ...]
    label: str | None
    max_rows: int
    """The most ids that it may bring to an alignment; more would be a dictionary attack."""


@dataclass(frozen=True)
class Job:
    """A parsed `job.toml`. Its hash, over the file's bytes, is what every owner signs."""

    source: bytes
    purpose: str
    members: tuple[Member, ...]
    model: Model
    dealer_certificate: str | None
    """`sha256:` of the certificate of a dealer that is no enclave; `enclave_host` runs it."""
    enclave_host: str
    """Nobody where rows are transformed: that needs no helper."""
    host_may_be_party: bool
    min_common: int
    min_applicants: int
    """The smallest number of common applicants that may be scored in a run."""
    attempts: int
    """How often the tables of one use may be aligned in all runs of the job."""
    scores_to: str
    scored_by: str
    """`mpc`: on shares of the model; `enclave`: inside it, which then sees applicants, too."""
    predictions: int
    network: str
    """The profile that plans are made for."""
    representation: Representation | None = None
    """What leaves the owners in a job that transforms rows."""
    leakage: str = "fast"
    """`fast`: an enclave's memory addresses may depend on rows; `constant-flow`: its kernels'
    depend on sizes alone."""

    @cached_property
    def hash(self) -> bytes:
        """SHA-256 of the file, as `sha256sum job.toml` prints it."""
        return hashlib.sha256(self.source).digest()

    @property
    def way(self) -> str:
        """Which of the ways it goes: `enclave-mpc`, `enclave`, `mpc` or `transform`."""
        if self.model.training != "enclave":
            return self.model.training
        return "enclave" if self.scored_by == "enclave" else "enclave-mpc"

    @property
    def names(self) -> tuple[str, ...]:
        """The parties in the order of the job: party 0 listens, party 1 connects."""
        return tuple(member.name for member in self.members)

    @property
    def labelled(self) -> Member:
        """The member that brings the label; in a horizontal job, the one that receives scores."""
        if self.model.horizontal:
            return self.member(self.scores_to)
        return next(member for member in self.members if member.label is not None)

    @property
    def scored(self) -> list[int]:
        """How many columns each computing party brings to a score."""
        if not self.model.horizontal:
            return [len(member.columns) for member in self.members]
        return [
            len(member.columns) if member.name == self.scores_to else 0
            for member in self.members[:2]
        ]

    @property
    def computing(self) -> tuple[str, ...]:
        """The two parties that compute on shares; further ones send them theirs."""
        return self.names[:2]

    @property
    def helped(self) -> bool:
        """Whether an enclave or a dealer has a part in it."""
        return not self.model.by_transform

    def member(self, name: str) -> Member:
        """The member of that name.

        Raises:
            ConfigError: the job does not name it.
        """
        for member in self.members:
            if member.name == name:
                return member
        known = ", ".join(self.names)
        raise ConfigError(f"the job has no party '{name}'", hint=f"its parties are {known}")

    def index(self, name: str) -> int:
        """The position of the party of that name."""
        return self.names.index(self.member(name).name)


def is_name(text: str) -> bool:
    """Whether a party may be called so: in files, certificates and on terminals it stays itself."""
    return text.isidentifier() and text.isascii() and len(text) <= 40


def pin(text: str) -> bytes:
    """The SHA-256 in `sha256:<hex>`.

    Raises:
        ConfigError: the text is not of that form.
    """
    if re.fullmatch("sha256:[0-9a-f]{64}", text):
        return bytes.fromhex(text.partition(":")[2])
    raise ConfigError(f"'{text}' is not a fingerprint", hint="its form is sha256:<64 hex digits>")


def pin_text(fingerprint: bytes) -> str:
    """A SHA-256 as `sha256:<hex>`."""
    return f"sha256:{fingerprint.hex()}"


def load_job(path: Path) -> Job:
    """The job in a file.

    Raises:
        ConfigError: the file is not a job; the sentence names the key.
    """
    return parse_job(read_file(path), str(path))


def parse_job(source: bytes, where: str = "job.toml") -> Job:
    """The job in the bytes of a `job.toml`, as a party proposes it or an enclave receives it."""
    fields = Fields(parse_toml(source, where), where)
    if fields.whole("version") != 1:
        raise ConfigError(f"{where}: only version = 1 is known to this moiety")
    members = tuple(_member(name, table) for name, table in fields.tables("parties").items())
    model = read_model(fields.table("model"))
    plain = fields.table("dealer", {})
    transformed = fields.table("transform") if model.by_transform else None
    enclave = plain if plain.unread() or transformed else fields.table("enclave")
    release, plan = fields.table("release"), fields.table("plan", {})
    aligned = not model.horizontal
    alignment = fields.table("alignment") if aligned else fields.table("alignment", {})
    job = Job(
        source=source,
        purpose=fields.text("purpose"),
        members=members,
        model=model,
        dealer_certificate=plain.text("certificate") if plain.unread() else None,
        enclave_host="" if transformed else enclave.text("host"),
        host_may_be_party=enclave.flag("host_may_be_party", False),
        min_common=(least := _least(alignment, model)),
        min_applicants=alignment.whole("min_applicants", least, low=1),
        attempts=alignment.whole("attempts", 10, low=1, high=1000),
        scores_to=release.text("scores_to"),
        scored_by=release.text("scored_by", "mpc"),
        predictions=release.whole("predictions", low=1, high=10_000_000),
        network=plan.text("network", "wan"),
        representation=read_representation(transformed) if transformed else None,
        leakage=enclave.text("leakage", "fast"),
    )
    for table in (fields, enclave, release, alignment, plan):
        table.done()
    return _checked(job, where)


def _member(name: str, fields: Fields) -> Member:
    certificate, signing_key = fields.text("certificate"), fields.text("signing_key")
    pin(certificate)
    public_key(signing_key)
    member = Member(
        name=name,
        certificate=certificate,
        signing_key=signing_key,
        train=fields.text("train"),
        score=fields.text("score", ""),
        columns=fields.names("columns"),
        label=fields.text("label", "") or None,
        max_rows=fields.whole("max_rows", low=1, high=100_000_000),
    )
    fields.done()
    return member


def _least(alignment: Fields, model: Model) -> int:
    """The smallest intersection; where people differ by purpose, the smallest table."""
    if model.horizontal:
        return alignment.whole("min_common", 1, low=1)
    return alignment.whole("min_common", low=1)


def _checked(job: Job, where: str) -> Job:
    agreed = job.model.faults({name for member in job.members for name in member.columns})
    for wrong, what in (*_partition_faults(job), *_faults(job), *agreed):
        if wrong:
            raise ConfigError(f"{where}: {what}", hint="see docs/configuration.md")
    return job


def _partition_faults(job: Job) -> Iterator[tuple[bool, str]]:
    """What is wrong with who brings which columns of whom."""
    labels = [member.name for member in job.members if member.label is not None]
    if not job.model.horizontal:
        yield len(job.members) != 2, "exactly two [parties.NAME] are supported"
        yield len(labels) != 1, f"exactly one party brings a label, not {len(labels)}"
        yield not all(member.score for member in job.members), "a party names no table to score"
        alone = job.model.by_transform and labels != [job.scores_to]
        yield alone, "who has the label receives the scores, where others transform their rows"
        return
    columns = {member.columns for member in job.members}
    inside = job.model.training == "enclave"
    yield inside, 'a horizontal model is trained by parties: training = "mpc" or "transform"'
    yield len(job.members) < 2, "a horizontal job has at least two [parties.NAME]"
    yield len(labels) < len(job.members), "in a horizontal job each party brings a label"
    yield len(columns) > 1, "in a horizontal job all parties bring the same columns"
    receiver = [member for member in job.members if member.name == job.scores_to]
    yield not all(member.score for member in receiver), f"{job.scores_to} names no table to score"
    learnt = job.representation is not None and job.representation.method != "random"
    yield learnt, 'owners of rows have one projection, which none learns alone: method = "random"'
    outside = job.model.by_mpc and job.scores_to not in job.computing
    yield outside, f"{job.scores_to} is to be one of the first two"


def _faults(job: Job) -> Iterator[tuple[bool, str]]:
    yield from (
        (not all(map(is_name, job.names)), "a party's name is 1 to 40 letters, digits and _"),
        (
            job.scored_by not in ("mpc", "enclave"),
            f"scored_by = '{job.scored_by}' is not mpc or enclave",
        ),
        (
            job.scored_by == "enclave" and job.model.training != "enclave",
            'scored_by = "enclave" is for a model that an enclave trains',
        ),
        (job.scores_to not in job.names, f"scores_to = '{job.scores_to}' is not a party"),
        (
            job.dealer_certificate is not None and not job.model.by_mpc,
            'a [dealer] sees no row: with training = "enclave" name an [enclave]',
        ),
        (job.leakage not in LEAKAGE, f"leakage = '{job.leakage}' is not {' or '.join(LEAKAGE)}"),
        (
            job.leakage != "fast" and (job.model.kind, job.model.training) != ("trees", "enclave"),
            f'leakage = "{job.leakage}" is for kind = "trees", trained by an enclave',
        ),
        ("enclave" in job.names, "'enclave' cannot be the name of a party"),
        (
            len({member.signing_key for member in job.members}) < len(job.members)
            or len({member.certificate for member in job.members}) < len(job.members),
            "two parties have one key",
        ),
        (not all(member.columns for member in job.members), "a party brings no column"),
        (
            any("label" in member.columns for member in job.members),
            "no column may be called 'label': that is what the sealed data call the label",
        ),
        (
            job.enclave_host.casefold() in [name.casefold() for name in job.names]
            and not job.host_may_be_party,
            f"the enclave's host '{job.enclave_host}' is a party; a host who breaks its own "
            "enclave would count as both",
        ),
    )
