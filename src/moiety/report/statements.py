"""The sentences of a report: what the numbers mean, and what is and is not protected."""

from dataclasses import dataclass

from moiety.report.content import HARDLY_WORTH, Comparison, Header, PartyReport
from moiety.report.text import count, decimal, listing, percent, signed, uplift

SIMULATED = (
    "The enclave of this job was an ordinary process whose evidence is signed under a simulation "
    "root: there is no confidentiality from the host that ran it."
)


_ON_SHARES = {
    "enclave-mpc": "Alignment and predictions are",
    "enclave": "Alignment is",
    "mpc": "Alignment, training and predictions are",
    "transform": "Alignment is",
}


@dataclass(frozen=True)
class Statement:
    """A title and what stands behind it; `kind` is good, poor or plain."""

    title: str
    text: str
    kind: str = "plain"


def verdict(found: Comparison, whose: str = "that both parties know") -> Statement:
    """Whether joining was worth it, judged by KS on the applicants `whose` words describe."""
    before, after, rise = found.alone.ks, found.joint.ks, found.ks_uplift
    moved = f"KS goes from {decimal(before)} to {decimal(after)} ({uplift(rise)})"
    where = f"on the {count(found.applicants)} new applicants {whose}"
    if after <= before:
        return Statement("Joining does not help here", f"{moved} {where}.", "poor")
    if found.auc_interval is not None and found.auc_interval[0] <= 0:
        text = f"{moved} {where}, but the rise in AUC cannot be told from chance."
        return Statement("Joining is hardly worth it here", text, "poor")
    if rise < HARDLY_WORTH:
        text = f"{moved} {where}, less than the {percent(HARDLY_WORTH, 0)} that repay the effort."
        return Statement("Joining is hardly worth it here", text, "poor")
    return Statement("Joining is worth it here", f"{moved} {where}.", "good")


def alone_explained(found: Comparison) -> str:
    """What the first of the two models is."""
    return (
        f"“{found.alone.name}” is a model of the same kind that its owner trains in the clear, on "
        f"its own columns alone."
    )


def whose(header: Header) -> str:
    """Which applicants the report is about."""
    return f"of {header.scores_to}" if header.own_people else "that both parties know"


def interval(found: Comparison) -> str:
    """How sure the rise in AUC is."""
    if found.auc_interval is None:
        return ""
    rise = found.joint.auc - found.alone.auc
    low, high = (signed(bound) for bound in found.auc_interval)
    return f"The rise in AUC is {signed(rise)}; its 95 % interval is {low} to {high}."


def no_performance(header: Header) -> str:
    """Why this page has no figures on how well the models rank."""
    if header.party == header.label_holder:
        return (
            "How well the models rank cannot be said: the outcomes of the new applicants are not "
            "yet known, or all alike."
        )
    return (
        f"How well the models rank is not in this report: outcomes stay with {header.label_holder} "
        f"and scores are revealed to {header.scores_to} only."
    )


def numbers_explained(header: Header) -> str:
    """What the table of own numbers shows."""
    scale = (
        "A number is taken from the agreed centre, in the agreed unit"
        if header.own_people
        else "A number is taken from its mean over the party's own aligned rows, in deviations"
    )
    return (
        f"{scale}; a missing one is 0, and told apart by a number of its own. Beyond a number of "
        f"units that all parties know it is cut."
    )


def bins_explained(header: Header) -> str:
    """What the tables of own bins show, and what this party cannot have."""
    cut = (
        "Bins are cut where the parties agreed to. "
        if header.own_people
        else "Bins are cut at quantiles of the party's own aligned rows, without looking at "
        "outcomes; a category has one for each value. "
    )
    if header.party == header.label_holder:
        return cut + (
            "WOE = ln(share of all the bad / share of all the good) in a bin: above zero is "
            "riskier than the average. IV sums how far the two shares differ over the bins."
        )
    return cut + (
        f"Bad rates and WOE come from {header.label_holder}'s outcomes, which {header.party} does "
        f"not hold. Bin by bin they would tell it about outcomes of its own clients, so it gets "
        f"ranges and counts only."
    )


def trust(report: PartyReport) -> tuple[Statement, ...]:
    """What this job's protection rests on, and where it ends."""
    attested = report.trust is not None and report.trust.evidence is not None
    helper = {"enclave-mpc": _broken_enclave, "enclave": _broken_inside} if attested else {}
    first = {"mpc": _broken_dealer, "transform": _noise, **helper}.get(report.header.way)
    broken = (first(report),) if first else ()
    watched = (_watched(report),) if helper else ()
    return (*broken, *watched, _semi_honest(report), _scores(report), _not_hidden())


def _noise(report: PartyReport) -> Statement:
    header = report.header
    return Statement(
        "What the noise protects, and what it does not",
        f"{header.scores_to} holds a representation of each row: few numbers, with noise. Whoever "
        f"sees it can tell any two rows apart only as far as the stated ε and δ allow, whatever "
        f"else they know, the projection included. That somebody is in the table is not hidden, "
        f"and what holds for most people alike is learned, as it is meant to be.",
    )


def _broken_inside(report: PartyReport) -> Statement:
    parties = listing(role.name for role in report.header.parties)
    return Statement(
        "If the enclave is broken",
        f"It held the rows trained on and the applicants, that is the binned columns of {parties}, "
        f"the outcomes, the model and the scores: whoever breaks it learns those, and can falsify "
        f"results. A host that is a party counts as that party.",
    )


def _broken_dealer(report: PartyReport) -> Statement:
    return Statement(
        "If the dealer is broken",
        "It saw no row, no label, no model and no score: it dealt correlated randomness, and alone "
        "it learns nothing. Together with one party it learns the other's inputs, and alone it can "
        "falsify results. A host that is a party counts as that party.",
    )


def _broken_enclave(report: PartyReport) -> Statement:
    parties = listing(role.name for role in report.header.parties)
    return Statement(
        "If the enclave is broken",
        f"It held the training rows, that is the binned columns of {parties} and the outcomes, and "
        f"the model: whoever breaks it learns those. It also dealt the randomness of the "
        f"predictions, so together with one party it learns the other's applicants too, and alone "
        f"it can falsify results. A host that is a party counts as that party.",
    )


_WATCHED = {
    "fast": "Training reads memory at places that depend on rows and labels: a host that follows "
    "the enclave's memory accesses, page by page or closer, learns something of them.",
    "constant-flow": "Training was in constant flow: the compiled kernels' memory addresses and "
    "branches depend on numbers of rows, columns, bins and trees alone. Not covered: how long "
    "divisions take, power, and what surrounds the kernels.",
}


def _watched(report: PartyReport) -> Statement:
    profile = report.trust.leakage if report.trust else "fast"
    return Statement("If the enclave is watched", _WATCHED[profile])


def _semi_honest(report: PartyReport) -> Statement:
    parties = listing(role.name for role in report.header.parties)
    what = _ON_SHARES[report.header.way]
    return Statement(
        "Semi-honest parties",
        f"{what} secure as long as {parties} run the agreed protocol, however closely "
        f"each studies what it receives. A party that deviates may learn the other's inputs or "
        f"change scores, and nothing here would notice.",
    )


def _scores(report: PartyReport) -> Statement:
    header, weights = report.header, report.trust.weights if report.trust else None
    if weights is None:
        solved = "Many scores of chosen applicants trace the model. "
    else:
        solved = (
            f"This model is linear: {count(weights + 1)} scores of freely chosen applicants are "
            f"enough to solve for its {count(weights)} weights and its constant. "
        )
    about = (
        "the model, and so about all rows that it was trained on"
        if header.own_people
        else "the model and about the other party's columns of that applicant"
    )
    return Statement(
        "What scores give away",
        f"Every score tells {header.scores_to} something about {about}; this remains, however it "
        f"is computed. {solved}The parties therefore allow one score per id in a job, which has "
        f"one model.",
    )


def _not_hidden() -> Statement:
    return Statement(
        "Not hidden",
        "Numbers of rows, shapes, message sizes and times. Attacks on the processor itself "
        "(side channels, probes on its memory bus) are outside of what evidence can rule out.",
    )
