"""A model's public shape: what all parties know of it, which fixes the program that scores."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from moiety.learn import numbers_program, scorecard_program, trees_program
from moiety.learn.columns import Columns, Plain
from moiety.learn.scale import LOGIT_BOUND
from moiety.learn.trees_program import Forest
from moiety.plan.plan import Plan
from moiety.ring import Words

SHAPE_SCHEMA: dict[str, Any] = {
    "kind": str,
    "counts": list[list[int]],
    "missing": list[list[bool]],
    "trees": int,
    "depth": int,
    "hidden": int,
    "clip": int,
}


@dataclass(frozen=True)
class PublicShape:
    """What all parties know of a model: its kind and sizes, and what becomes of each column."""

    kind: str
    counts: tuple[tuple[int, ...], ...]
    """For each party, how many bins, or numbers, each of its columns becomes."""
    missing: tuple[tuple[bool, ...], ...]
    """For each party, whether a column's last bin or number means a missing value."""
    trees: int = 0
    depth: int = 0
    hidden: int = 0
    """Units of a perceptron's layer."""
    clip: int = 0
    """Numbers are cut to ±clip."""

    def to_fields(self) -> dict[str, Any]:
        """For a message; see SHAPE_SCHEMA."""
        plain = asdict(self)
        plain["counts"] = [list(counts) for counts in self.counts]
        plain["missing"] = [list(flags) for flags in self.missing]
        return plain

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> "PublicShape":
        """The inverse of `to_fields`."""
        lists = {name: tuple(map(tuple, fields[name])) for name in ("counts", "missing")}
        return cls(**{**fields, **lists})

    @property
    def dims(self) -> list[int]:
        """How many bins, or numbers, each party has for a row."""
        return [sum(counts) for counts in self.counts]

    def program(self, rows: int, receiver: int) -> Plan:
        """The plan that scores so many rows and reveals the scores to `receiver`.

        Raises:
            UsageError: so many columns leave no room in a word.
        """
        return FORMS[self.kind].program(self, rows, receiver)

    def features(self, party: int, codes: Mapping[str, Plain]) -> Words:
        """A party's private operand from what its columns became, in the job's order of columns."""
        return FORMS[self.kind].features(self, party, np.column_stack(list(codes.values())))


@dataclass(frozen=True)
class Form:
    """How models of one kind score: the program for so many rows and a receiver; a party's part."""

    program: Callable[[PublicShape, int, int], Plan]
    features: Callable[[PublicShape, int, Plain], Words]


def _scorecard(shape: PublicShape, rows: int, receiver: int) -> Plan:
    return scorecard_program.build(rows, shape.dims, receiver=receiver, bound=LOGIT_BOUND)


def _one_hot(shape: PublicShape, party: int, codes: Plain) -> Words:
    return Columns(shape.counts[party]).one_hot(codes).astype(np.uint64)


def _trees(shape: PublicShape, rows: int, receiver: int) -> Plan:
    columns, forest = [len(counts) for counts in shape.counts], Forest(shape.trees, shape.depth)
    return trees_program.build(rows, columns, forest, receiver=receiver, bound=LOGIT_BOUND)


def _flagged(shape: PublicShape, party: int, codes: Plain) -> Words:
    columns = Columns(shape.counts[party])
    return columns.flagged(codes, shape.missing[party]).astype(np.uint64)


def _linear(shape: PublicShape, rows: int, receiver: int) -> Plan:
    return numbers_program.linear(rows, shape.dims, shape.clip, receiver=receiver)


def _perceptron(shape: PublicShape, rows: int, receiver: int) -> Plan:
    dims, clip, units = shape.dims, shape.clip, shape.hidden
    return numbers_program.perceptron(rows, dims, clip, units, receiver=receiver)


def _numbers(shape: PublicShape, party: int, numbers: Plain) -> Words:
    return numbers_program.numbers(numbers, shape.clip)


FORMS = {
    "scorecard": Form(_scorecard, _one_hot),
    "trees": Form(_trees, _flagged),
    "logistic": Form(_linear, _numbers),
    "perceptron": Form(_perceptron, _numbers),
}
