"""What all parties must know of each other's rows before they compute on shares of them."""

from collections.abc import Mapping
from typing import Any

from moiety.agreement.manifest import Job
from moiety.errors import PeerMisbehaved
from moiety.message import decode, encode
from moiety.party.training import Shape
from moiety.wire.channel import Channel
from moiety.wire.frame import Kind

_SCHEMA: dict[str, Any] = {
    "rows": int,
    "counts": list[int],
    "missing": list[bool],
    "applicants": list[str],
}
_EACH = 80
"""Bytes of an applicant's name in a message, at most."""
MOST = 255


def exchange_shapes(
    channels: Mapping[str, Channel], job: Job, own: Shape, applicants: list[str]
) -> tuple[list[Shape], list[str]]:
    """All parties' shapes in the order of the job, and the names of the applicants to be scored.

    Where each party has people of its own, the receiver of scores names its applicants by words
    that tell nothing; elsewhere nobody names any here.

    Raises:
        PeerMisbehaved: a shape that does not fit the job.
    """
    message = {"rows": own.rows, "counts": list(own.counts), "missing": list(own.missing)}
    for channel in channels.values():
        channel.send(Kind.SHAPE, encode({**message, "applicants": applicants}))
    shapes, named = {own.party: own}, applicants
    for name, channel in channels.items():
        said = _received(channel, job, name)
        if not job.model.horizontal and said["rows"] != own.rows:
            raise PeerMisbehaved(f"{name} aligned {said['rows']:,} rows, and I {own.rows:,}")
        shapes[name] = Shape(name, said["rows"], tuple(said["counts"]), tuple(said["missing"]))
        named = named or said["applicants"]
    return [shapes[name] for name in job.names], named


def _received(channel: Channel, job: Job, name: str) -> dict[str, Any]:
    member = job.member(name)
    limit = 1 << 16
    limit += _EACH * member.max_rows if job.model.horizontal and name == job.scores_to else 0
    said = decode(channel.receive(Kind.SHAPE, limit), _SCHEMA, limit, sender=name)
    columns = len(member.columns)
    counted = len(said["counts"]) == len(said["missing"]) == columns
    small = all(1 <= count <= MOST for count in said["counts"])
    if not counted or not small or not 1 <= said["rows"] <= member.max_rows:
        raise PeerMisbehaved(f"{name} tells of other rows and columns than the job allows")
    applicants = said["applicants"]
    if applicants and (name != job.scores_to or not job.model.horizontal):
        raise PeerMisbehaved(f"{name} names applicants, and is not to")
    if len(set(applicants)) < len(applicants) or len(applicants) > member.max_rows:
        raise PeerMisbehaved(f"{name} names an applicant twice, or more than the job allows")
    return said
