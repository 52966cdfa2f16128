"""How columns are coded: each cut into bins, or turned into numbers; kept as plain values."""

from collections.abc import Mapping
from typing import Any

from moiety.data.bins import Bins
from moiety.data.scales import Levels, Scale
from moiety.data.schema import ColumnSpec
from moiety.errors import DataError

Coding = Bins | Scale | Levels
Codings = Mapping[str, Coding]
_KINDS: dict[str, type[Bins] | type[Scale] | type[Levels]] = {
    "bins": Bins,
    "scale": Scale,
    "levels": Levels,
}


def to_dict(codings: Codings) -> dict[str, Any]:
    """The codings as plain values that JSON holds; `from_dict` is its inverse."""
    names = {kind: name for name, kind in _KINDS.items()}
    return {name: {"kind": names[type(one)], **one.to_dict()} for name, one in codings.items()}


def from_dict(fields: Mapping[str, Any]) -> dict[str, Coding]:
    """The codings that `to_dict` wrote.

    Raises:
        DataError: it did not.
    """
    try:
        plain = {name: dict(one) for name, one in fields.items()}
        return {name: _KINDS[one.pop("kind")].from_dict(one) for name, one in plain.items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError("these are not codings of columns", hint="fit them again") from error


def check_levels(coding: Coding, spec: ColumnSpec) -> None:
    """Returns if the same text is the same level here as where the coding was made.

    Raises:
        DataError: other levels are declared.
    """
    bins = coding.bins if isinstance(coding, Levels) else coding
    if isinstance(bins, Bins) and bins.levels and bins.levels != spec.levels:
        raise DataError(
            f"{spec.name} has other levels here than in the rows that the model was trained on",
            hint="declare the same levels, in the same order, in the schemas of both tables",
        )
