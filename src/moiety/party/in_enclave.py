"""A job that goes on inside the enclave to its end: applicants are scored there, too."""

import hmac
import secrets
import time
from pathlib import Path

import numpy as np

from moiety.data.table import Table
from moiety.enclave.scoring import SALT, ask_mark, ask_scores, people
from moiety.errors import PolicyRefused
from moiety.party.attest import Attested
from moiety.party.coded import Coded
from moiety.party.files import replace_file
from moiety.party.model import KeptModel
from moiety.party.predict import BATCH, Scores, Timing, agree_unscored
from moiety.party.seal import to_arrow
from moiety.party.through_enclave import ThroughEnclave
from moiety.run.session import Session


class InEnclave(ThroughEnclave):
    """One party's run of such a job; each run trains anew, on the rows of the first."""

    def predict(
        self,
        session: Session,
        enclave: Attested,
        model: KeptModel | None,
        own: Coded,
        chosen: Table,
    ) -> tuple[None, list[Timing]]:
        """Sends this party's columns of applicants; the receiver keeps their scores."""
        self.options.watch.enter("prediction")
        with self.steps.step("predict", "scoring applicants in the enclave") as step:
            rows = agree_unscored(session, chosen.ids, self.spent, self.job.predictions)
            same_model(self.folder, enclave)
            timings = []
            for begin in range(0, len(rows), BATCH):
                asked = chosen.take(rows[begin : begin + BATCH])
                timings.append(self._batch(enclave, own, asked))
                step.progress(begin + asked.rows, len(rows))
            self._ask(enclave, own, chosen.take(np.arange(0)))
            enclave.channel.finish()
            done = chosen.rows - len(rows)
            step.result = f"{len(rows):,} applicants were scored in the enclave" + (
                f"; {done:,} were scored before, or are beyond the job's number" if done else ""
            )
        self.note("run", scored=len(rows), model="in the enclave", simulated=enclave.simulated)
        return None, timings

    def _batch(self, enclave: Attested, own: Coded, asked: Table) -> Timing:
        self.spent.spend(asked.ids.tolist())
        began = time.perf_counter()
        self._ask(enclave, own, asked)
        return Timing(asked.rows, 1, time.perf_counter() - began)

    def _ask(self, enclave: Attested, own: Coded, asked: Table) -> None:
        ids, table = asked.ids.tolist(), to_arrow(own.recode(asked).unlabelled())
        mine = self.job.scores_to == self.party.name
        logits = ask_scores(enclave.channel, people(ids), len(ids), table, mine=mine)
        if logits.size:
            Scores(self.folder).append(ids, logits)


def same_model(folder: Path, enclave: Attested) -> None:
    """Returns if the enclave trained on the rows of this job's first run.

    Raises:
        PolicyRefused: it did not; nobody is asked about.
    """
    path = folder / "model.mark"
    kept = path.read_bytes() if path.exists() else secrets.token_bytes(SALT)
    mark = ask_mark(enclave.channel, kept[:SALT])
    if len(kept) > SALT and not hmac.compare_digest(kept[SALT:], mark):
        raise PolicyRefused(
            "the enclave trained on other rows than in this job's first run",
            hint="a job has one model: propose a new job, which all parties sign",
        )
    replace_file(path, kept[:SALT] + mark)
