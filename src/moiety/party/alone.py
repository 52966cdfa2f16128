"""A label holder's own model, without anybody else: what the joint one is compared with."""

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


def alone(job: Job, party: str, own: Coded, chosen: Coded) -> Floats:
    """The logits of chosen rows by a model of the job's kind on this party's columns alone.

    On numbers it is trained by the very algorithm of the parties, in float64.
    """
    if not job.model.numeric:
        codes = {f"{party}.{name}": column for name, column in chosen.codes.items()}
        return fit(job, {party: columns_of(own)}).logit(codes)
    runner = Clear((party, *(name for name in job.names if name != party)), ANYWHERE)
    labels = Owned.of(party, np.asarray(own.label, np.float64))
    model = estimator(job, runner, [shape_of(party, own)])
    model.fit(Vertical(**{party: own.table()}), labels)
    return np.asarray(model.decision_function(Vertical(**{party: chosen.table()})))
