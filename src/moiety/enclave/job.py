"""Inside the enclave: the fixed, measured operators of a job. No code from outside runs here."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from moiety.agreement.manifest import Job
from moiety.enclave.inputs import Codes, Columns
from moiety.errors import DataError
from moiety.learn.constant_flow import fit_constant_flow
from moiety.learn.public_shape import PublicShape
from moiety.learn.scorecard import Scorecard, fit_scorecard
from moiety.learn.secret_model import SecretModel, of_scorecard, of_trees
from moiety.learn.trees import Growth, PaddedTrees, fit_trees

THREADS = 2


@dataclass(frozen=True)
class Trained:
    """A model that nobody but this enclave holds, and the number of rows it was trained on."""

    rows: int
    model: SecretModel = field(repr=False)


def train(job: Job, columns: Mapping[str, Columns]) -> Trained:
    """The job's model on the joined rows, as words to be shared.

    Raises:
        DataError: the parties' rows do not match in number, or all labels are alike.
    """
    model, shape = fit(job, columns), _shape(job, columns)
    secret = of_scorecard(model, shape) if isinstance(model, Scorecard) else of_trees(model, shape)
    return Trained(len(_label(job, columns)), secret)


def fit(job: Job, columns: Mapping[str, Columns]) -> Scorecard | PaddedTrees:
    """The job's model in the clear, on the columns given, in their order; deterministic.

    By the job's leakage profile: in `constant-flow` the trees' kernels read memory as sizes decide.

    Row i of every party is the same client. A label holder alone may fit its own columns.
    """
    label = _label(job, columns)
    codes: dict[str, Codes] = {}
    counts: dict[str, int] = {}
    missing: set[str] = set()
    for party, own in columns.items():
        codes |= {f"{party}.{name}": column for name, column in own.codes.items()}
        counts |= {f"{party}.{name}": count for name, count in own.counts.items()}
        missing |= {f"{party}.{name}" for name, has in own.missing.items() if has}
    if {len(column) for column in codes.values()} != {len(label)}:
        raise DataError("the capsules do not hold the same number of aligned rows")
    if job.model.kind == "scorecard":
        return fit_scorecard(codes, counts, label)
    growth = Growth(trees=job.model.trees, depth=job.model.depth, threads=THREADS)
    grow = fit_constant_flow if job.leakage == "constant-flow" else fit_trees
    return grow(codes, counts, label, growth, missing=missing)


def _label(job: Job, columns: Mapping[str, Columns]) -> Codes:
    label = columns[job.labelled.name].label
    if label is None:
        raise DataError(f"{job.labelled.name}'s capsule holds no label")
    return label


def _shape(job: Job, columns: Mapping[str, Columns]) -> PublicShape:
    return PublicShape(
        kind=job.model.kind,
        counts=tuple(tuple(columns[name].counts.values()) for name in job.names),
        missing=tuple(tuple(columns[name].missing.values()) for name in job.names),
        **job.model.sizes,
    )
