"""Gradient-boosted trees among parties: nobody learns a split, a leaf, or which row is where."""

from collections.abc import Sequence
from functools import cache, partial, reduce
from typing import Any, Self

import numpy as np

import moiety.array as xp
from moiety.array import Array
from moiety.errors import UsageError
from moiety.function.function import Function
from moiety.function.runner import Runner, Secret
from moiety.function.signature import To
from moiety.learn.base import Classifier, told
from moiety.learn.binned import parts
from moiety.learn.buckets import FORMS
from moiety.learn.columns import Columns
from moiety.learn.growing import Rules, growing
from moiety.learn.partition import Partition, Plain
from moiety.learn.program import Brought, Layout, begun, bring, held, held_whole, secured
from moiety.learn.public_shape import PublicShape
from moiety.learn.scale import LOGIT_BOUND, WEIGHT_BITS
from moiety.learn.secret_model import HALF
from moiety.learn.shared_model import Owners, SharedModel, pair
from moiety.learn.splits import Splits
from moiety.learn.trees_program import CODES, Forest, walked


class BoostedTreesClassifier(Classifier):
    """Boosted trees on bin codes with a logistic loss, as XGBoost grows them by level.

    X holds codes, whole numbers from 0; `bins` is the public number of bins of all columns, or of
    each; the last bin of the columns in `missing` (their places) means that there is no value.
    Trees are complete: a node that is not worth a split sends all rows to the left. Leaves are cut
    so that no logit can exceed LOGIT_BOUND. `histogram` "table" multiplies by one-hot tables,
    "order" brings rows in secret orders: the same sums, at other costs.
    """

    def __init__(
        self,
        runner: Runner | None = None,
        *,
        bins: int | Sequence[int] = 16,
        missing: Sequence[int] = (),
        n_estimators: int = 20,
        max_depth: int = 3,
        learning_rate: float = 0.3,
        reg_lambda: float = 1.0,
        min_child_weight: float = 1.0,
        histogram: str = "table",
        receiver: str | None = None,
    ) -> None:
        self.runner = runner
        self.bins = bins
        self.missing = missing
        self.n_estimators = n_estimators
        self.max_depth = max_depth
        self.learning_rate = learning_rate
        self.reg_lambda = reg_lambda
        self.min_child_weight = min_child_weight
        self.histogram = histogram
        self.receiver = receiver

    def fit(self, X: Any, y: Any) -> Self:
        """The estimator with its trees as shares; nothing is revealed."""
        if self.histogram not in FORMS:
            known = ", ".join(FORMS)
            raise UsageError(f"the histogram {self.histogram!r}", hint=f"one of {known}")
        run, table = self._runner, self._table(X, fitting=True)
        forest, splits, rules = self._forest(), self._splits(), self._rules()
        x, buckets = FORMS[self.histogram](run, table, splits.columns)
        y = self._labels(table, y)
        found = run.repeat(
            growing(run.parties, buckets, x.layout, y.layout, splits, rules),
            state={"margin": begun(run, np.zeros(len(table)), LOGIT_BOUND)},
            given={**x.given, **y.given},
            spans=[slice(None)] * forest.trees,
        ).results
        self.chosen_ = Secret.concat(found["chosen"], axis=1)
        self.away_ = Secret.concat(found["away"], axis=1)
        self.thresholds_ = Secret.concat(found["thresholds"], axis=1)
        self.leaves_ = Secret.concat(found["leaves"], axis=0)
        self.base_ = begun(run, np.full((1, 1), HALF), 1.0)
        self.owners_ = Owners.of(table, [one.counts for one in parts(splits.columns, table)])
        return self

    def _forest(self) -> Forest:
        return Forest(self.n_estimators, self.max_depth)

    def _splits(self) -> Splits:
        columns = Columns.of(self.bins, self.n_features_in_)
        gaps = tuple(at in self.missing for at in range(self.n_features_in_))
        return Splits(columns, gaps)

    def _rules(self) -> Rules:
        if not (self.reg_lambda > 0 and self.learning_rate > 0 and self.min_child_weight >= 0):
            raise UsageError(
                "trees without a penalty or a rate above 0, or with a least weight below 0",
                hint="reg_lambda=1.0, learning_rate=0.3, min_child_weight=1.0",
            )
        return Rules(
            self.n_estimators,
            self.max_depth,
            self.learning_rate,
            self.reg_lambda,
            self.min_child_weight,
        )

    def model(self, owner: str | None = None) -> SharedModel:
        """The shares that `trees_program` takes; trees grown on rows are for rows of `owner`."""
        places, own = self.owners_.placed(self._runner.parties, owner)
        forest = self._forest()
        arrays = {
            "thresholds": self.thresholds_,
            "leaves": self.leaves_.raised(WEIGHT_BITS),
            "base": self.base_.raised(WEIGHT_BITS),
        }
        selections = self._selections([len(one) for one in own])
        for place, selection in zip(places, selections, strict=True):
            arrays[f"selection_{place}"] = selection
        gaps = iter(self._splits().missing)
        missing = pair(places, [tuple(next(gaps) for _ in one) for one in own])
        shape = PublicShape("trees", pair(places, own), missing, forest.trees, forest.depth)
        return SharedModel(shape, arrays)

    def _selections(self, widths: Sequence[int]) -> list[Secret]:
        """What nodes test of so many columns of each owner: codes, then flags."""
        found, begin = [], 0
        for width in widths:
            own = slice(begin, begin + width)
            found.append(Secret.concat([self.chosen_.rows(own), self.away_.rows(own)]))
            begin += width
        return found

    def _told(self, what: str, X: Any) -> Plain | None:
        run, table = self._runner, self._table(X)
        x = self._features(table)
        widths = [part.shape[1] for part in table.parts] if table.axis else [self.n_features_in_]
        given = {f"selection_{at}": one for at, one in enumerate(self._selections(widths))}
        function = walking(run.parties, x.layout, self._forest(), what, self._receiver)
        model = {"thresholds": self.thresholds_, "leaves": self.leaves_}
        found: Plain | None = run.call(function, **x.given, **given, **model)["told"]
        return found

    def _features(self, table: Partition) -> Brought:
        """Codes, 0 where there is no value, and a flag for that, of each column."""
        splits = self._splits()
        begin, made = 0, {}
        for part, columns in zip(table.parts, parts(splits.columns, table), strict=True):
            rows, width = part.shape
            gaps = splits.missing[begin : begin + width] if table.axis else splits.missing
            begin += width
            made[part.owner] = part.made((rows, 2 * width), partial(columns.flagged, missing=gaps))
        return bring(self._runner, type(table)(**made), "x", (0, CODES - 1), int)


@cache
def walking(
    parties: tuple[str, ...], x: Layout, forest: Forest, what: str, receiver: str
) -> Function:
    """What the receiver learns of rows that walk down the trees."""

    def walk(**values: Array) -> dict[str, Array]:
        if x.axis == 0:
            code = x.joined(values) @ values["selection_0"]
        else:
            pairs = [p @ values[f"selection_{at}"] for at, p in enumerate(x.parts(values))]
            code = reduce(Array.__add__, pairs)
        leaf = (LOGIT_BOUND - HALF) / forest.trees
        model = {name: values[name].value for name in ("thresholds", "leaves")}
        logit = Array(walked(code.value, model, forest, bound=leaf))
        return {"told": told(xp.reshape(logit, (logit.size,)), what)}

    selections = {f"selection_{at}": (0, CODES) for at in range(len(x.owners) if x.axis else 1)}
    model = held_whole(thresholds=(1, CODES), **selections) | held(leaves=LOGIT_BOUND)
    return secured(parties, walk, {**x.arguments, **model}, {"told": To(receiver, coins=True)})
