"""Models that a party fits in the clear, on what it holds: its own columns, and others' if sent."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from moiety.agreement.manifest import Job
from moiety.enclave.job import fit
from moiety.function.runner import Owned
from moiety.learn.partition import Vertical
from moiety.party.coded import Coded
from moiety.party.seal import columns_of
from moiety.party.training import estimator, shape_of
from moiety.plan.pipeline import ANYWHERE
from moiety.run.local import Clear

Floats = npt.NDArray[np.float64]
Parts = Mapping[str, Coded]


def alone(job: Job, party: str, own: Coded, chosen: Coded) -> Floats:
    """The logits of chosen rows by a model of the job's kind on this party's columns alone.

    What the joint model is compared with.
    """
    return fitted(job, {party: own}, {party: chosen})


def fitted(job: Job, trained: Parts, chosen: Parts) -> Floats:
    """The logits of chosen rows by a model of the job's kind on these rows, by whose they are.

    Row i of all parts is the same client; the first part has the outcomes. On numbers it is
    trained by the very algorithm of the parties, in float64.
    """
    if not job.model.numeric:
        codes = {
            f"{name}.{column}": values
            for name, own in chosen.items()
            for column, values in own.codes.items()
        }
        return fit(job, {name: columns_of(own) for name, own in trained.items()}).logit(codes)
    return _numeric(job, trained, chosen)


def _numeric(job: Job, trained: Parts, chosen: Parts) -> Floats:
    first = next(iter(trained))
    runner = Clear((first, *(name for name in job.names if name != first)), ANYWHERE)
    labels = Owned.of(first, np.asarray(trained[first].label, np.float64))
    shapes = [shape_of(name, own) for name, own in trained.items()]
    model = estimator(job, runner, shapes)
    model.fit(Vertical(**{name: own.table() for name, own in trained.items()}), labels)
    table = Vertical(**{name: own.table() for name, own in chosen.items()})
    return np.asarray(model.decision_function(table))
