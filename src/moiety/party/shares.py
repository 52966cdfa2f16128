"""What all parties of a job on shares have in common: who brings what, the dealer, the model.

Nobody ever sees the rows of two parties. The first two parties compute; further ones, in a
horizontal job, send them shares of their rows.
"""

from dataclasses import dataclass, field

import numpy as np

from moiety.data.table import Table
from moiety.enclave.policy import Accepted
from moiety.function.runner import Runner
from moiety.learn.shared_model import SharedModel
from moiety.party.align import Aligned
from moiety.party.attest import consent, meet_dealer
from moiety.party.coded import Coded, coded, recoded
from moiety.party.facts import Facts
from moiety.party.model import KeptModel
from moiety.party.node import Node
from moiety.party.shapes import exchange_shapes
from moiety.party.stock import Label
from moiety.party.training import Shape, joined, shape_of, train
from moiety.wire.channel import Channel


@dataclass
class Prepared:
    """What a party brings to the computation, once all know each other's shapes."""

    clients: Table
    coded: Coded
    aligned: dict[str, Aligned]
    shapes: list[Shape]
    applicants: Table | None
    names: list[str] = field(default_factory=list)


class Shares(Node):
    """What computing and contributing parties have in common."""

    accepted: Accepted | None = None
    """The enclave that deals in this run."""
    ahead: Label | None = None
    """What was dealt ahead of it."""

    @property
    def simulated(self) -> bool:
        """Whether a simulated enclave deals, or dealt."""
        if self.ahead is not None:
            return self.ahead.simulated
        return self.accepted is not None and not self.accepted.production

    def prepared(
        self, tables: dict[str, Table], agreed: dict[str, Aligned], model: KeptModel | None
    ) -> Prepared:
        """What this party brings, aligned and coded, and everybody's shapes."""
        if self.job.model.horizontal:
            return self._of_own_people(tables)
        session = self.session
        train = self.align(session, tables["train"], "train", agreed)
        chosen = self.align(session, tables["score"], "score", agreed)
        clients = tables["train"].take(train.rows)
        own = recoded(model.codings, clients) if model else coded(self.job, clients)
        shapes, _ = self._shapes(own, [])
        applicants = tables["score"].take(chosen.rows)
        names = applicants.ids.tolist()
        aligned = {"train": train, "score": chosen}
        return Prepared(clients, own, aligned, shapes, applicants, names)

    def _of_own_people(self, tables: dict[str, Table]) -> Prepared:
        clients, applicants = tables["train"], tables.get("score")
        self.enough(clients)
        own = coded(self.job, clients)
        blinded = [] if applicants is None else self.spent.blinded(applicants.ids.tolist())
        shapes, names = self._shapes(own, blinded)
        return Prepared(clients, own, {}, shapes, applicants, names)

    def _shapes(self, own: Coded, applicants: list[str]) -> tuple[list[Shape], list[str]]:
        self.options.watch.enter("the exchange of shapes")
        with self.steps.step("shapes", "telling sizes") as step:
            shape = shape_of(self.party.name, own)
            shapes, names = exchange_shapes(self.channels, self.job, shape, applicants)
            told = ", ".join(f"{one.party} {one.rows:,}" for one in shapes)
            step.result = f"rows to train on: {told}"
        return shapes, names

    def dealer(self) -> Channel:
        """The dealer: an attested enclave that sees no row, or the one that the job pins."""
        if self.job.dealer_certificate is None:
            enclave = self.attest()
            self.accepted = enclave.accepted
            consent(self.party, enclave)
            return enclave.channel
        with self.steps.step("dealer", "meeting the dealer") as step:
            channel = meet_dealer(self.party, self.job, self.signatures, self.options)
            self.helper = channel
            step.result = f"met the dealer of {self.job.enclave_host}, which the job pins"
        self.note("dealer", certificate=self.job.dealer_certificate)
        return channel

    def trained(self, runner: Runner, prepared: Prepared) -> SharedModel:
        """The model, as the shares that are held here."""
        self.options.watch.enter("training on shares")
        kind = self.job.model.kind
        with self.steps.step("train", f"training the model ({kind}) on shares") as step:
            own = {self.party.name: prepared.coded}
            brought = joined(self.job, prepared.shapes, own)
            model = train(self.job, runner, prepared.shapes, *brought)
            step.result = f"trained the model ({kind}): nobody has seen it"
        return model

    def facts(self, prepared: Prepared, **found: object) -> Facts:
        """What the report is made from."""
        chosen = prepared.applicants
        return Facts(
            party=self.party,
            job=self.job,
            train=prepared.clients,
            chosen=chosen if chosen is not None else prepared.clients.take(np.arange(0)),
            aligned=prepared.aligned,
            shapes=prepared.shapes,
            coded=prepared.coded,
            enclave=self.accepted,
            ahead=self.ahead.record if self.ahead else "",
            seconds=self.steps.seconds,
            **found,  # type: ignore[arg-type]
        )
