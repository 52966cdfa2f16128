"""The `[model]` of a job: its kind and options, and on what owners of rows agree beforehand."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from moiety.agreement.fields import Fields
from moiety.errors import ConfigError

Numbers = Mapping[str, tuple[float, ...]]


@dataclass(frozen=True)
class Option:
    """A whole number that a kind of model takes: its default, and its least and largest value."""

    default: int
    low: int
    high: int


_BINS, _EPOCHS, _CLIP = Option(10, 2, 250), Option(10, 1, 100), Option(4, 1, 16)
KINDS: dict[str, dict[str, Option]] = {
    "scorecard": {"bins": _BINS},
    "trees": {"bins": Option(64, 2, 250), "trees": Option(20, 1, 500), "depth": Option(3, 1, 5)},
    "logistic": {"epochs": _EPOCHS, "clip": _CLIP},
    "perceptron": {"hidden": Option(16, 1, 64), "epochs": _EPOCHS, "clip": _CLIP},
}
NUMERIC = ("logistic", "perceptron")
"""Kinds that take numbers; the others take bins."""
LINEAR = ("scorecard", "logistic")
MODELS = ("scorecard", "trees")
"""What an enclave trains."""
BY_MPC = tuple(KINDS)
"""What parties train on shares, with nobody else but a dealer of randomness."""
BY_TRANSFORM = ("logistic", "scorecard", "trees")
"""What the receiver trains on representations of others' rows."""
TRAINING = {"enclave": MODELS, "mpc": BY_MPC, "transform": BY_TRANSFORM}
PARTITIONS = ("vertical", "horizontal")
SOLVERS = ("newton", "sgd")
FEWER_BINS = Option(16, 2, 250)
"""Bins of trees that are trained on shares."""
SMALLEST_UNIT = 2.0**-53
SIZES = ("trees", "depth", "hidden", "clip")
"""The options that a trained model still has."""


@dataclass(frozen=True)
class Model:
    """What is trained, where and on what: public shape only, nothing learned."""

    kind: str
    training: str = "enclave"
    """`enclave`: on the joined rows, inside; `mpc`: by the parties, on shares; `transform`: by the
    receiver, on noisy representations."""
    partition: str = "vertical"
    """`vertical`: other columns of the same people; `horizontal`: the same columns of others."""
    bins: int = 0
    trees: int = 0
    depth: int = 0
    hidden: int = 0
    """Units of a perceptron's one layer."""
    epochs: int = 0
    """How often training goes over all rows."""
    clip: int = 0
    """Numbers are cut to ±clip at their owners."""
    solver: str = ""
    edges: Numbers = field(default_factory=dict)
    """For columns of a horizontal model that are binned, the agreed cuts between their bins."""
    scales: Numbers = field(default_factory=dict)
    """For those that are numbers, the agreed centre and unit."""

    @property
    def by_mpc(self) -> bool:
        """Whether no enclave sees a row."""
        return self.training == "mpc"

    @property
    def by_transform(self) -> bool:
        """Whether the receiver trains, on representations."""
        return self.training == "transform"

    @property
    def horizontal(self) -> bool:
        """Whether each party brings people of its own."""
        return self.partition == "horizontal"

    @property
    def numeric(self) -> bool:
        """Whether it takes numbers, and not bins."""
        return self.kind in NUMERIC

    @property
    def linear(self) -> bool:
        """Whether scores are weighted sums of bins or numbers."""
        return self.kind in LINEAR

    @property
    def sizes(self) -> dict[str, int]:
        """The part of its public shape that the job fixes; 0 where its kind has no such size."""
        return {name: getattr(self, name) for name in SIZES}

    def faults(self, columns: Collection[str]) -> Iterator[tuple[bool, str]]:
        """What is wrong with what owners agree on of these columns, and whether it is."""
        agreed = {*self.edges, *self.scales}
        if not self.horizontal:
            told = "[model.edges] and [model.scales] are for horizontal models and transforms"
            yield bool(agreed) and not self.by_transform, told
            strange = sorted(agreed - {*columns})
            yield bool(strange), f"nobody brings {', '.join(strange)}, of which [model] tells"
            return
        numbers = self.numeric or self.by_transform
        tables = "[model.scales] or [model.edges]" if numbers else "[model.edges]"
        missing, strange = sorted({*columns} - agreed), sorted(agreed - {*columns})
        yield bool(self.scales) and not numbers, f"a {self.kind} takes bins: [model.edges]"
        yield bool(missing), f"{tables} has nothing for {', '.join(missing)}"
        yield bool(strange), f"nobody brings {', '.join(strange)}, of which [model] tells"
        twice = sorted({*self.edges} & {*self.scales})
        yield bool(twice), f"{', '.join(twice)}: a number has a scale, and what is binned has edges"


def read_model(fields: Fields) -> Model:
    """The model that a job's table describes.

    Raises:
        ConfigError: a key that its kind does not have, or a value out of bounds.
    """
    training = _one_of(fields, "training", tuple(TRAINING), "enclave")
    kind = _one_of(fields, "kind", TRAINING[training])
    options = dict(KINDS[kind])
    if kind == "trees" and training == "mpc":
        options["bins"] = FEWER_BINS
    model = Model(
        kind=kind,
        training=training,
        partition=_one_of(fields, "partition", PARTITIONS, "vertical"),
        solver=_one_of(fields, "solver", SOLVERS, SOLVERS[0]) if kind == "logistic" else "",
        edges=_cuts(fields.table("edges", {})),
        scales=_scales(fields.table("scales", {})),
        **{name: _whole(fields, name, option) for name, option in options.items()},
    )
    fields.done()
    return model


def _whole(fields: Fields, name: str, option: Option) -> int:
    return fields.whole(name, option.default, low=option.low, high=option.high)


def _one_of(fields: Fields, key: str, known: tuple[str, ...], default: str = "") -> str:
    """The word at `key`, which must be a known one."""
    word = fields.text(key, default) if default else fields.text(key)
    if word not in known:
        raise ConfigError(f"{fields.where}: {key} = '{word}'", hint=f"known: {', '.join(known)}")
    return word


def _cuts(fields: Fields) -> Numbers:
    cuts = {name: fields.rising(name) for name in fields.unread()}
    fields.done()
    return cuts


def _scales(fields: Fields) -> Numbers:
    scales = {name: fields.numbers(name) for name in fields.unread()}
    for name, scale in scales.items():
        if len(scale) != 2 or scale[1] < SMALLEST_UNIT:
            raise ConfigError(f"{fields.where}: {name} must be [centre, unit], the unit above 0")
    fields.done()
    return scales
