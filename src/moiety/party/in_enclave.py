"""A job that goes on inside the enclave to its end: applicants are scored there, too."""

import time

from moiety.data.table import Table
from moiety.enclave.scoring import ask_scores, people
from moiety.party.attest import Attested
from moiety.party.coded import Coded
from moiety.party.model import KeptModel
from moiety.party.predict import Scores, Timing, agree_unscored
from moiety.party.seal import to_arrow
from moiety.party.through_enclave import ThroughEnclave
from moiety.run.session import Session


class InEnclave(ThroughEnclave):
    """One party's run of such a job; every run trains its model anew, on the same aligned rows."""

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
            asked = chosen.take(rows)
            ids, table = asked.ids.tolist(), to_arrow(own.recode(asked).unlabelled())
            self.spent.spend(ids)
            began = time.perf_counter()
            logits = ask_scores(enclave.channel, people(ids), len(ids), table)
            timing = Timing(len(ids), 1, time.perf_counter() - began)
            enclave.channel.finish()
            if logits.size:
                Scores(self.folder).append(ids, logits)
            step.result = f"{len(ids):,} applicants were scored in the enclave"
        self.note("run", scored=len(ids), model="in the enclave", simulated=enclave.simulated)
        return None, [timing] if ids else []
