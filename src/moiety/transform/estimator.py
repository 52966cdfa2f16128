"""The transform as a scikit-learn transformer."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from moiety.errors import UsageError
from moiety.sampling import Integers
from moiety.transform.account import Guarantee
from moiety.transform.bounds import Bounds, Misfit, standardised
from moiety.transform.labels import check_labels
from moiety.transform.ledger import Ledger
from moiety.transform.mechanism import Floats, Mechanism
from moiety.transform.settings import Settings

_HINT = "give a table of finite numbers, with the columns that fit saw"


class PrivateTransform(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Rows become noisy points of few dimensions, each call of `transform` with fresh noise.

    A row is brought to [-1, 1] by declared `bounds` (lower, upper), numbers or one for each column;
    without them it must lie there. It is clipped to the norm `clip`, projected to `dimensions`,
    fewer than its columns, put on a grid, and gets noise: see `moiety.transform.mechanism`.

    epsilon, delta: what one person pays for being in `fit` and in one `transform`; each further
        `transform` costs `released_` again. An infinite epsilon: no noise, and no guarantee.
    outside: "refuse" values beyond the bounds, or "cut" them.
    method: "random"; "pca", the main axes of the rows; "supervised", the directions of both labels.
        The latter two are learnt in `fit`, for the `share` of the budget.
    seed: 16 bytes, or in hexadecimal; owners who pool rows need the same. Fresh if None.
    ledger: charges everybody whose `ids` are given before anything is drawn.

    Fitted: `guarantee_` (of `fit` and one `transform`), `learned_`, `released_` (each alone),
    `projection_` (columns × dimensions), `step_` (of the grid), `sigma_` (deviation of the noise).

    What holds, and what does not, is in `Guarantee` and in docs/transform.md. It is replace-one:
    that somebody is in a table, and how many are, is not hidden.
    """

    mechanism_: Mechanism
    learned_: Guarantee

    def __init__(
        self,
        dimensions: int = 8,
        epsilon: float = 3.0,
        delta: float = 1e-6,
        clip: float = 1.0,
        bounds: Bounds | None = None,
        outside: str = "refuse",
        method: str = "random",
        share: float = 0.25,
        seed: bytes | str | None = None,
        ledger: Ledger | None = None,
    ) -> None:
        self.dimensions = dimensions
        self.epsilon = epsilon
        self.delta = delta
        self.clip = clip
        self.bounds = bounds
        self.outside = outside
        self.method = method
        self.share = share
        self.seed = seed
        self.ledger = ledger

    def fit(self, X: Any, y: Any = None, ids: Sequence[str] | None = None) -> Self:
        """Itself, with a projection and noise; it learns from rows only where `method` says so.

        Raises:
            UsageError: a parameter that means nothing, a table that does not fit (a ValueError
                too), or no ids where a ledger is.
            PolicyRefused: somebody would overspend; nothing was learnt.
        """
        rows = self._rows(X, fitting=True)
        settings = self._settings(rows.shape[1])
        label = self._label(y, len(rows))
        if settings.learned.rho:
            self._charge(ids, len(rows), settings.learned)
        self.mechanism_ = settings.fit([(rows, label)], rows.shape[1])
        self.learned_ = settings.learned
        return self

    def transform(self, X: Any, ids: Sequence[str] | None = None) -> Floats:
        """(rows × dimensions) noisy points; drawn anew in each call, which is one release.

        Raises:
            UsageError: a table that does not fit (a ValueError too), or no ids where a ledger is.
            PolicyRefused: somebody would overspend; nothing was drawn.
        """
        check_is_fitted(self)
        rows = self._rows(X)
        self._charge(ids, len(rows), self.released_)
        return self.mechanism_.release(rows)

    def fit_transform(self, X: Any, y: Any = None, ids: Sequence[str] | None = None) -> Floats:
        """`fit`, then one release of the same rows."""
        return self.fit(X, y, ids).transform(X, ids)

    def stream(self, chunks: Iterable[Any], ids: Sequence[str] | None = None) -> Iterator[Floats]:
        """One release of a table that comes in chunks, as noisy points of each: bounded memory.

        All `ids` are charged first.

        Raises:
            UsageError: as `transform`; or there are other than as many rows as ids.
            PolicyRefused: somebody would overspend; nothing was drawn.
        """
        check_is_fitted(self)
        charged = self._charge(ids, len(ids or ()), self.released_)
        return self._released(chunks, charged)

    def _released(self, chunks: Iterable[Any], charged: int | None) -> Iterator[Floats]:
        rows = 0
        for chunk in chunks:
            part = self._rows(chunk)
            rows += len(part)
            if charged is not None and rows > charged:
                raise UsageError(f"more rows than the {charged} persons who were charged for them")
            yield self.mechanism_.release(part)

    @property
    def projection_(self) -> Floats:
        """(columns × dimensions) orthonormal columns; it counts as known to everybody."""
        return self.mechanism_.projection

    @property
    def step_(self) -> float:
        """The grid on which all that is released lies."""
        return self.mechanism_.step

    @property
    def sigma_(self) -> float:
        """The deviation of the noise of one coordinate."""
        return self.mechanism_.sigma

    @property
    def released_(self) -> Guarantee:
        """What one `transform` costs each person in it."""
        return Guarantee(self.mechanism_.rho, self.learned_.delta)

    @property
    def guarantee_(self) -> Guarantee:
        """What `fit` and one `transform` cost a person who is in both."""
        return self.learned_ + self.released_

    @property
    def _n_features_out(self) -> int:
        return int(self.projection_.shape[1])

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "mechanism_")

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.non_deterministic = self.epsilon != math.inf or self.seed is None
        tags.target_tags.required = self.method == "supervised"
        return tags

    def _settings(self, columns: int) -> Settings:
        names = ("dimensions", "epsilon", "delta", "clip", "method", "share", "seed")
        settings = Settings(**{name: getattr(self, name) for name in names})
        try:
            settings.check(columns)
        except UsageError as error:
            raise Misfit(str(error), hint=error.hint) from None
        return settings

    def _rows(self, X: Any, *, fitting: bool = False) -> Floats:
        """The table's numbers, within [-1, 1]; no error shows one."""
        try:
            rows = validate_data(self, X, dtype=np.float64, reset=fitting)
        except ValueError as error:
            raise Misfit(_plain(str(error)), hint=_HINT) from None
        return standardised(rows, self.bounds, self.outside)

    def _label(self, y: Any, rows: int) -> Integers | None:
        if self.method != "supervised":
            return None
        if y is None:
            raise Misfit("method supervised requires y to be passed, but the target y is None")
        label = check_labels(y)
        if label.shape != (rows,):
            raise Misfit(f"{label.size} labels for {rows} rows", hint="give y, one for each row")
        return label.astype(np.int64)

    def _charge(self, ids: Sequence[str] | None, rows: int, cost: Guarantee) -> int | None:
        """How many persons were charged; None without a ledger."""
        if self.ledger is None:
            return None
        if ids is None or len(ids) != rows:
            count = "no" if ids is None else str(len(ids))
            raise UsageError(f"{count} ids for {rows} rows", hint="the ledger charges each: ids=…")
        self.ledger.charge(ids, cost)
        return rows


def _plain(text: str) -> str:
    """What scikit-learn says of a table, without the numbers and cells that it quotes."""
    if "Reshape" in text:
        return "Reshape your data: a table has rows and columns"
    return "not all are numbers" if "could not convert" in text else text.splitlines()[0]
