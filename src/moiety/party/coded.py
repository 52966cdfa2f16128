"""A party's columns as the job's model takes them: cut into bins, or turned into numbers.

How each column is coded stays with its owner; it is kept with the model, so that applicants are
read as training rows were.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from moiety.agreement.manifest import Job
from moiety.agreement.model import Model
from moiety.data.bins import Bins
from moiety.data.codings import Coding, Codings, check_levels
from moiety.data.convert import Numbers
from moiety.data.scales import Levels, Scale
from moiety.data.schema import ColumnSpec
from moiety.data.table import Table


@dataclass(frozen=True)
class Coded:
    """A party's columns: how each is coded (private), and what became of each row."""

    codings: Codings
    codes: dict[str, npt.NDArray[Any]] = field(repr=False)
    """The bin of each row; or (rows × count) its numbers."""
    label: npt.NDArray[np.uint8] | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        return f"Coded({len(self.codings)} columns)"

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(next(iter(self.codes.values())))

    @property
    def counts(self) -> tuple[int, ...]:
        """How many bins, or numbers, each column becomes, in the job's order: public."""
        return tuple(coding.count for coding in self.codings.values())

    @property
    def missing(self) -> tuple[bool, ...]:
        """Whether the last of them means a missing value: public."""
        return tuple(coding.missing for coding in self.codings.values())

    def table(self) -> npt.NDArray[np.float64]:
        """All columns side by side, as estimators take them."""
        return np.column_stack(list(self.codes.values())).astype(np.float64)

    def unlabelled(self) -> "Coded":
        """The same without outcomes."""
        return Coded(self.codings, self.codes)

    def recode(self, table: Table) -> "Coded":
        """Another table's rows, coded alike.

        Raises:
            DataError: a value is missing where none may be, or levels are declared otherwise.
        """
        return recoded(self.codings, table)


def coded(job: Job, table: Table) -> Coded:
    """A party's columns of the job: as owners of rows agreed, or as its own rows suggest.

    Raises:
        DataError: a column cannot be coded so.
    """
    choose = _agreed if job.model.horizontal else _own
    return _coded(choose, job.model, table)


def freely(model: Model, table: Table) -> Coded:
    """A table's columns as its rows suggest, whatever owners of rows may have agreed on."""
    return _coded(_own, model, table)


def _coded(choose: Callable[..., Coding], model: Model, table: Table) -> Coded:
    specs = table.schema.columns
    codings = {name: choose(model, table[name], specs[name]) for name in table.names}
    return recoded(codings, table)


def recoded(codings: Codings, table: Table) -> Coded:
    """A table's rows by these codings; see `Coded.recode`."""
    specs = table.schema.select(codings).columns
    for name, coding in codings.items():
        check_levels(coding, specs[name])
    codes = {name: coding.codes(table[name]) for name, coding in codings.items()}
    return Coded(codings, codes, table.label)


def _own(model: Model, column: Numbers, spec: ColumnSpec) -> Coding:
    """By unsupervised quantiles; or by mean and deviation, and categories by declared levels."""
    if not model.numeric:
        return Bins.fit(column, model.bins, spec)
    return Levels.of(spec) if spec.kind == "category" else Scale.fit(column, spec)


def _agreed(model: Model, column: Numbers, spec: ColumnSpec) -> Coding:
    if spec.name in model.scales:
        centre, unit = model.scales[spec.name]
        return Scale.agreed(centre, unit, spec)
    edges = model.edges[spec.name]
    return Levels.agreed(edges, spec) if model.numeric else Bins.agreed(edges, spec)
