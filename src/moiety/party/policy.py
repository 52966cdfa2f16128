"""A party's node checks a job against that party's own policy, before anything is signed or run."""

from collections.abc import Iterator

from moiety.agreement.manifest import Job, Member, pin
from moiety.errors import PolicyRefused
from moiety.party.config import Party, Rules
from moiety.wire.certificates import fingerprint


def check_job(party: Party, job: Job) -> None:
    """Returns if this party's policy admits the job.

    Raises:
        PolicyRefused: it does not; every reason is listed at once.
    """
    refusals = list(_refusals(party, job))
    if refusals:
        raise PolicyRefused(
            f"{party.name}'s policy refuses this job:\n  - " + "\n  - ".join(refusals),
            hint=f"change the job, or {party.home / 'policy.toml'} if you mean to allow it",
        )


def _refusals(party: Party, job: Job) -> Iterator[str]:
    yield from _release(party, job)
    yield from _own(party, job.member(party.name))
    yield from _label(party, job)
    for member in job.members:
        if member.name != party.name:
            yield from _peer(party, member)


def _release(party: Party, job: Job) -> Iterator[str]:
    rules = party.rules
    for what, value, allowed, key in _listed(job, rules):
        if value not in allowed:
            yield f"{what} '{value}' is not among policy.toml's {key}"
    dealer = job.dealer_certificate
    if dealer is not None and dealer not in rules.enclave.dealers:
        yield f"dealer {dealer} is not among policy.toml's enclave.dealers"
    if job.predictions > rules.max_predictions:
        yield (
            f"predictions = {job.predictions} is above policy.toml's "
            f"max_predictions = {rules.max_predictions}"
        )
    yield from _charged(party, job)
    if job.min_applicants < rules.min_applicants:
        least = rules.min_applicants
        yield f"min_applicants = {job.min_applicants} is below policy.toml's {least}"
    if job.min_common < rules.min_common:
        least = rules.min_common
        yield f"min_common = {job.min_common} is below policy.toml's min_common = {least}"


def _listed(job: Job, rules: Rules) -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    """What the job says, and the list of the policy that is to have it."""
    yield "purpose", job.purpose, rules.purposes, "purposes"
    yield "model", job.model.kind, rules.models, "models"
    yield "training", job.model.training, rules.training, "training"
    yield "scores_to", job.scores_to, rules.scores_to, "scores_to"
    yield "scored_by", job.scored_by, rules.scored_by, "scored_by"
    if job.helped:
        yield "enclave host", job.enclave_host, rules.enclave.hosts, "enclave.hosts"
    if job.model.training == "enclave":
        yield "leakage", job.leakage, rules.enclave.leakage, "enclave.leakage"


def _charged(party: Party, job: Job) -> Iterator[str]:
    """What the job would charge this party's people beyond what each may pay in all."""
    told, budget = job.representation, party.rules.transform
    if told is None or (job.scores_to == party.name):
        return
    cost = told.cost(labels=job.model.horizontal).epsilon
    if max(cost, told.epsilon) > budget.max_epsilon:
        labels = f" and labels_epsilon = {told.labels:g}" if job.model.horizontal else ""
        yield (
            f"epsilon = {told.epsilon:g}{labels} is above policy.toml's "
            f"[transform] max_epsilon = {budget.max_epsilon:g}"
        )
    if told.delta > budget.delta:
        yield f"delta = {told.delta:g} is above policy.toml's [transform] delta = {budget.delta:g}"


def _label(party: Party, job: Job) -> Iterator[str]:
    """Labels leave, flipped, only where the policy lists them like a column."""
    member = job.member(party.name)
    leaves = job.model.by_transform and job.model.horizontal and job.scores_to != party.name
    if leaves and member.label not in party.rules.columns.get(member.train, ()):
        yield f"the label {member.label} is not among [columns] {member.train}, and would leave"


def _own(party: Party, member: Member) -> Iterator[str]:
    if member.signing_key != party.signing_key.public:
        yield "the job names another signing key for me than keys/signing.pem"
    if pin(member.certificate) != fingerprint(party.credentials.certificate):
        yield "the job names another certificate for me than keys/tls.pem"
    for name in {member.train, member.score} - {""}:
        allowed = party.rules.columns.get(name, ())
        forbidden = [column for column in member.columns if column not in allowed]
        if forbidden:
            yield f"columns {', '.join(forbidden)} are not among [columns] {name}"


def _peer(party: Party, member: Member) -> Iterator[str]:
    known = party.peers.get(member.name)
    if known is None:
        yield f"party '{member.name}' is not among my [peers]"
        return
    if member.signing_key != known.signing_key:
        yield f"the job names another signing key for {member.name} than my [peers.{member.name}]"
    if member.certificate != known.certificate:
        yield f"the job names another certificate for {member.name} than my [peers.{member.name}]"
    if member.max_rows > party.rules.max_peer_rows:
        yield (
            f"{member.name} may bring {member.max_rows} ids to the alignment, "
            f"above policy.toml's max_peer_rows = {party.rules.max_peer_rows}"
        )
