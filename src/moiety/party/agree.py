"""Agreement: each party signs the job's hash; both exchange signatures before anything else.

At the end both exchange the heads of their records, so that neither can rewrite its own.
"""

from datetime import UTC, datetime

from moiety import __version__
from moiety.agreement.manifest import Job
from moiety.agreement.record import Record
from moiety.agreement.signing import verify_job
from moiety.errors import PeerMisbehaved, PolicyRefused
from moiety.message import decode, encode
from moiety.party.config import Party
from moiety.party.files import replace_file
from moiety.party.policy import check_job
from moiety.wire.channel import Channel
from moiety.wire.frame import Kind

_HELLO = {"version": str, "job": bytes, "signature": bytes, "aligned": dict[str, bytes]}
_HEAD = {"head": bytes, "lines": int}
_LIMIT = 4096


def now() -> datetime:
    """The time of this machine, in UTC."""
    return datetime.now(UTC)


def sign(party: Party, job: Job) -> bytes:
    """Checks the job against the party's policy, signs its hash, and keeps the signature.

    Raises:
        PolicyRefused: the policy does not admit the job.
    """
    check_job(party, job)
    signature = party.signing_key.sign_job(job.hash)
    replace_file(party.job_folder(job) / "signature", signature)
    return signature


def own_signature(party: Party, job: Job) -> bytes:
    """The signature that `moiety job sign` kept, checked again with the policy of today.

    Raises:
        PolicyRefused: this party never signed these bytes, or would not now.
    """
    path = party.job_folder(job) / "signature"
    if not path.exists():
        raise PolicyRefused(
            f"{party.name} has not signed job {job.hash.hex()[:16]}",
            hint="read it, then: moiety job sign job.toml; a changed file is another job",
        )
    check_job(party, job)
    signature = path.read_bytes()
    verify_job(signature, job.hash, signer=party.name, key=job.member(party.name).signing_key)
    return signature


def exchange(
    channel: Channel, job: Job, signature: bytes, aligned: dict[str, bytes]
) -> tuple[bytes, dict[str, bytes]]:
    """The peer's signature on this very job, and the alignments it has kept.

    Raises:
        PolicyRefused: the peer runs another job, or its signature is not good.
    """
    mine = {"version": __version__, "job": job.hash, "signature": signature, "aligned": aligned}
    channel.send(Kind.HELLO, encode(mine))
    theirs = decode(channel.receive(Kind.HELLO, _LIMIT), _HELLO, _LIMIT, sender=channel.peer)
    if theirs["version"] != __version__:
        raise PolicyRefused(
            f"{channel.peer} runs moiety {theirs['version']}, this is {__version__}",
            hint="all parties of a job run one version",
        )
    if theirs["job"] != job.hash:
        raise PolicyRefused(
            f"{channel.peer} runs job {theirs['job'].hex()[:16]}, this is {job.hash.hex()[:16]}",
            hint="one byte differs: compare with sha256sum job.toml",
        )
    key = job.member(channel.peer).signing_key
    verify_job(theirs["signature"], job.hash, signer=channel.peer, key=key)
    return theirs["signature"], theirs["aligned"]


def exchange_heads(channel: Channel, record: Record) -> tuple[str, int]:
    """The head of the peer's record (hex) and its number of lines; the peer gets ours.

    Whoever keeps them finds the peer's record rewritten or cut before that line.
    """
    channel.send(Kind.RECORD, encode({"head": bytes.fromhex(record.head), "lines": record.lines}))
    theirs = decode(channel.receive(Kind.RECORD, _LIMIT), _HEAD, _LIMIT, sender=channel.peer)
    if len(theirs["head"]) != 32 or theirs["lines"] < 1:
        raise PeerMisbehaved(f"{channel.peer} sent no head of a record")
    return theirs["head"].hex(), theirs["lines"]
