"""Getting all correlated randomness of a job ahead of its run, which then needs no dealer.

Everything is as in a run up to the shapes, which say what will be needed; then the lots of training
and of scoring are dealt, and kept by both who compute. No share of a row is sent.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from moiety.data.table import Table
from moiety.errors import ConfigError
from moiety.learn.public_shape import PublicShape
from moiety.party.model import KeptModel
from moiety.party.predict import agree_unscored, batches
from moiety.party.shares import Prepared, Shares
from moiety.party.stock import Stock
from moiety.party.training import joined, train
from moiety.plan.pipeline import Target
from moiety.ring import keep_memory
from moiety.run.gather import Gather
from moiety.run.supply import RemoteDealer


@dataclass(frozen=True)
class Stocked:
    """What a party has now."""

    lots: int
    bytes: int
    record: str
    """The run's record, in the job's folder."""


class Offline(Shares):
    """One party's part of it; one that does not compute keeps nothing."""

    verb = b"offline"

    def run(self, signature: bytes) -> Stocked:
        """All steps, in order."""
        if not self.job.model.by_mpc:
            raise ConfigError(
                "this job's enclave deals when it hands the model over, and not ahead",
                hint='moiety offline is for jobs with training = "mpc"',
            )
        keep_memory()
        tables: dict[str, Table] = self.load()
        agreed, model = self.agree(signature, tables)
        prepared = self.prepared(tables, agreed, model)
        channel = self.dealer()
        stocked = Stocked(0, 0, self.record.path.name)
        if self.party.name in self.job.computing:
            source = RemoteDealer(channel, self.index)
            stocked = self._filled(prepared, source, model)
            source.finish()
        self.part()
        return stocked

    def _filled(self, prepared: Prepared, source: RemoteDealer, model: KeptModel | None) -> Stocked:
        stock = Stock(self.folder / "stock", self.index)
        stock.clear()
        self.options.watch.enter("dealing ahead")
        with self.steps.step("stock", "getting what the run will need") as step:
            runner = Gather(
                self.job.names,
                Target(network=self.job.network),
                party=self.index,
                source=source,
                store=stock,
            )
            shape = model.share.shape if model else self._trained(runner, prepared)
            self._scored(runner, prepared, shape)
            label = stock.seal(self.record.path.name, simulated=self.simulated)
            step.result = f"{label.lots:,} lots, {stock.bytes:,} bytes, for one run of the job"
        self.note("stock", lots=label.lots, bytes=stock.bytes, digest=label.seen.hex())
        return Stocked(label.lots, stock.bytes, label.record)

    def _trained(self, runner: Gather, prepared: Prepared) -> PublicShape:
        """The lots of training; the shape of the model that will come of it."""
        brought: dict[str, Any] = {}
        table, labels = joined(self.job, prepared.shapes, brought)
        return train(self.job, runner, prepared.shapes, table, labels).shape

    def _scored(self, runner: Gather, prepared: Prepared, shape: PublicShape) -> None:
        """The lots of all applicants that are left to be scored."""
        names = np.array(prepared.names, dtype=np.str_)
        rows = agree_unscored(self.session, names, self.spent, self.job.predictions)
        receiver = self.job.index(self.job.scores_to)
        for size in batches(len(rows)):
            runner.get(shape.program(size, receiver))
