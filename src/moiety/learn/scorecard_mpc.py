"""A scorecard trained among parties: nobody learns a weight of evidence, a coefficient or a bin."""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from moiety.errors import DataError
from moiety.function.runner import Runner, Secret
from moiety.learn.base import Classifier, largest, prediction
from moiety.learn.binned import bring_bins, parts
from moiety.learn.columns import Columns
from moiety.learn.evidence import card_gram, card_step, card_weights, evidence, gram_bound
from moiety.learn.newton import curvature
from moiety.learn.partition import Plain
from moiety.learn.program import begun
from moiety.learn.public_shape import PublicShape
from moiety.learn.scale import LOGIT_BOUND, WEIGHT_BITS
from moiety.learn.secret_model import TOO_GOOD
from moiety.learn.shared_model import Owners, SharedModel, by_owner, column, pair


class ScorecardClassifier(Classifier):
    """A scorecard on bin codes: logistic regression on weights of evidence, C as in scikit-learn.

    X holds codes, whole numbers from 0; `bins` is the public number of bins of all columns, or of
    each. Owners of rows agree on the bins beforehand; an owner of columns chooses its own. Weights
    of evidence are as of `woe_table`, with `smoothing` added to each count, and cut to ±8.
    """

    def __init__(
        self,
        runner: Runner | None = None,
        *,
        bins: int | Sequence[int] = 10,
        smoothing: float = 0.5,
        C: float = 1.0,
        max_iter: int = 10,
        bound: float = 8.0,
        receiver: str | None = None,
    ) -> None:
        self.runner = runner
        self.bins = bins
        self.smoothing = smoothing
        self.C = C
        self.max_iter = max_iter
        self.bound = bound
        self.receiver = receiver

    def fit(self, X: Any, y: Any) -> Self:
        """The estimator with `weights_` as shares.

        Both computing parties learn one bit beyond that: whether the scorecard is fit for use. A
        further owner learns nothing, and sees the others stop if it is not.

        Raises:
            DataError: it is not, a logit could exceed LOGIT_BOUND.
        """
        run, table = self._runner, self._table(X, fitting=True)
        columns = Columns.of(self.bins, self.n_features_in_)
        x, y = bring_bins(run, table, columns), self._labels(table, y)
        own, rows = tuple(parts(columns, table)), len(table)
        weigh = evidence(run.parties, x.layout, y.layout, columns, self.smoothing)
        woe = run.call(weigh, **x.given, **y.given)["woe"]
        pace = self.bound, 1.0 / (self.C * rows)
        products = card_gram(run.parties, x.layout, own, rows, 4 * pace[1])
        gram = run.call(products, **x.given, woe=woe)["gram"]
        bend = curvature(run, gram, gram_bound(4 * pace[1]))
        zero = begun(run, np.zeros(gram.shape[0]), self.bound)
        found = run.repeat(
            card_step(run.parties, x.layout, y.layout, columns, pace),
            state={"w": zero, "before": zero},
            given={**x.given, **y.given, "woe": woe, **bend.given},
            spans=[slice(None)] * self.max_iter,
        ).state["w"]
        self.weights_, self.constant_ = self._weights(columns, w=found, scale=bend.scale, woe=woe)
        self.owners_ = Owners.of(table, [one.counts for one in own])
        return self

    def _weights(self, columns: Columns, **trained: Secret) -> tuple[Secret, Secret]:
        """The weight of each bin, if no logit can be too large, and prediction's constant."""
        run = self._runner
        found = run.call(card_weights(run.parties, columns, self.bound), **trained)
        # a party that does not compute is not told, and goes on
        if any(found[name] for name in ("first", "second") if found[name] is not None):
            raise DataError(f"a logit of the scorecard could exceed {LOGIT_BOUND}", hint=TOO_GOOD)
        return found["weights"], found["constant"]

    def model(self, owner: str | None = None) -> SharedModel:
        """The shares that `scorecard_program` takes; a scorecard on rows is for rows of `owner`."""
        places, own = self.owners_.placed(self._runner.parties, owner)
        weights = by_owner("weights", column(self.weights_, WEIGHT_BITS), places, own)
        arrays = {"intercept": column(self.constant_, WEIGHT_BITS), **weights}
        missing = pair(places, [(False,) * len(one) for one in own])
        return SharedModel(PublicShape("scorecard", pair(places, own), missing), arrays)

    def _told(self, what: str, X: Any) -> Plain | None:
        table, run = self._table(X), self._runner
        x = bring_bins(run, table, Columns.of(self.bins, self.n_features_in_))
        function = prediction(run.parties, x.layout, largest(self.weights_), what, self._receiver)
        found: Plain | None = run.call(function, **x.given, w=self.weights_)["told"]
        return found
