"""The secrets of one finished job, as bytes to search for, and who may hold each.

A run of values is as long as makes 64 bits of entropy by the values' own frequencies, a float64 has
52 random bits, two neighbouring weights as words about 40: in 10^8 places of an image one needle is
found by chance with probability 10^-11, 10^-7 and 10^-4 at most, were all memory filled with just
such values. It is not: words of 24 random bits among zeros are rare.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from leak_kit import Needle
from moiety.agreement.manifest import Job, load_job
from moiety.cli.stage import Stage
from moiety.data.table import Table, load_schema
from moiety.enclave.job import fit, train
from moiety.learn.public_shape import PublicShape
from moiety.learn.scale import SCORE_BITS, WEIGHT_BITS
from moiety.learn.scorecard import Scorecard
from moiety.party.align import kept
from moiety.party.coded import Coded, coded
from moiety.party.config import load_party
from moiety.party.model import kept_model
from moiety.party.predict import Scores
from moiety.party.seal import columns_of
from moiety.ring import encode

BITS, RUNS = 64, 5
HEAVY = 1 << 16
"""A weight below 1/256 has too few random bits as a word."""

MODEL, WORD = "the model", "one word of the model"
OWNERS = {
    MODEL: (),
    WORD: (),
    "unrounded scores": (),
    "lender's share of the model": ("lender",),
    "payco's share of the model": ("payco",),
    "scores": ("lender",),
    "training labels": ("lender",),
    "applicants' outcomes": ("lender",),
    "lender's training codes": ("lender",),
    "payco's training codes": ("payco",),
    "lender's applicant codes": ("lender",),
    "payco's applicant codes": ("payco",),
    "lender's values": ("lender",),
    "payco's values": ("payco",),
    "ids of lender only": ("lender",),
    "ids of payco only": ("payco",),
    "common ids": ("lender", "payco"),
    "lender's keys": ("lender",),
    "payco's keys": ("payco",),
    "the platform's keys": ("enclave",),
}
"""Whose each secret is: in whose memory and on whose disk it may be."""
IN_THE_ENCLAVE = (
    MODEL,
    WORD,
    "lender's share of the model",
    "payco's share of the model",
    "training labels",
    "lender's training codes",
    "payco's training codes",
    "the platform's keys",
)
"""What the enclave's memory may hold; its disk holds its platform's keys only."""


@dataclass(frozen=True)
class View:
    """One party's rows of a finished job, as the test reads them from its folder."""

    stage: Stage
    job: Job
    name: str

    def table(self, use: str) -> Table:
        """All rows that the party brought to train or score."""
        member, party = self.job.member(self.name), load_party(self.stage.homes[self.name])
        data = party.data_set(getattr(member, use))
        label = data.label if member.label else None
        table = Table.load(data.path, load_schema(data.schema), id=data.id, label=label)
        return table.select(member.columns)

    def rows(self, use: str) -> Table:
        """The common rows, in the order that the run agreed on."""
        table, folder = self.table(use), self.stage.page(self.name).parent
        found = kept(folder, self.job, table, use)
        assert found is not None
        return table.take(found.rows)

    @cached_property
    def own(self) -> Coded:
        """What it sealed."""
        return coded(self.job, self.rows("train"))

    @cached_property
    def new(self) -> Coded:
        """Its applicants in the same bins."""
        return self.own.recode(self.rows("score"))


class Secrets:
    """All needles of a job that has run on a stage."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.job = stage, load_job(stage.job)
        self.views = {name: View(stage, self.job, name) for name in self.job.names}
        columns = {name: columns_of(view.own) for name, view in self.views.items()}
        self.model = fit(self.job, columns)
        secret = train(self.job, columns).model
        self.words, self.shape = secret.arrays, secret.shape
        self.alone = fit(self.job, {"lender": columns["lender"]})
        self.shares = {
            name: kept_model(stage.page(name).parent, self.job, index).share.arrays
            for index, name in enumerate(self.job.names)
        }

    @cached_property
    def needles(self) -> list[Needle]:
        """Each once, by secret and form."""
        lender, payco = self.views.values()
        every = [
            *self._model(),
            *self._shares(),
            *self._scores(),
            *_flags("training labels", lender.own.label),
            *_flags("applicants' outcomes", lender.rows("score").label),
            *_flags("applicants' outcomes", lender.table("score").label),
            *_flags("lender's values", lender.table("train").label),
            *(needle for view in self.views.values() for needle in _codes(view, self.shape)),
            *(needle for view in self.views.values() for needle in _values(view)),
            *_ids(lender, payco),
        ]
        for name, folder in (
            *((f"{name}'s keys", home / "keys") for name, home in self.stage.homes.items()),
            ("the platform's keys", self.stage.folder / "enclave" / "platform"),
        ):
            every += _keys(name, folder)
        return list(dict.fromkeys(every))

    def _model(self) -> Iterator[Needle]:
        """The weights, but for those that the lender finds with its own columns alone."""
        for array in self.words.values():
            yield from _pairs(MODEL, array)
            for word in array.reshape(-1)[_heavy(array)]:
                yield Needle(WORD, "word", word.tobytes(), aligned=True)
        for weight in np.setdiff1d(_weights(self.model), _weights(self.alone)):
            yield Needle(MODEL, "float64", weight.tobytes())
            yield Needle(MODEL, "text", f"{abs(weight):.12f}"[:11].encode())

    def _shares(self) -> Iterator[Needle]:
        for name, arrays in self.shares.items():
            for array in arrays.values():
                yield from _pairs(f"{name}'s share of the model", array)

    def _scores(self) -> Iterator[Needle]:
        """Rounded; and unrounded, but for those that training computes for clients just alike."""
        exact = self._logits({name: view.new for name, view in self.views.items()})
        trained = self._logits({name: view.own for name, view in self.views.items()})
        yield from _pairs("unrounded scores", encode(exact, WEIGHT_BITS))
        for logit in np.setdiff1d(exact, trained):
            yield Needle("unrounded scores", "float64", logit.tobytes())
        found = Scores(self.stage.page("lender").parent).read()
        rounded = np.array(list(found.values()))
        words = encode(rounded, SCORE_BITS)
        yield from _runs("scores", words)
        for begin, end in spans(words):
            yield Needle("scores", "float64", rounded[begin:end].tobytes())
        for one, logit in found.items():
            yield Needle("scores", "text", f"{one},{logit!r}".encode())

    def _logits(self, rows: dict[str, Coded]) -> np.ndarray:
        return self.model.logit(
            {
                f"{name}.{column}": codes
                for name, one in rows.items()
                for column, codes in one.codes.items()
            }
        )


def spans(values: np.ndarray, *, step: int = 1) -> Iterator[tuple[int, int]]:
    """Where runs of at least BITS of entropy begin and end, spread over the values."""
    _, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    bits = np.concatenate([[0.0], np.cumsum(-np.log2(counts / len(values))[codes])])
    for begin in (np.linspace(0, len(values), RUNS + 1)[:-1] // step * step).astype(int).tolist():
        end = max(begin + 16, int(np.searchsorted(bits, bits[begin] + BITS)))
        if end <= len(values):
            yield begin, end


def _runs(secret: str, values: np.ndarray) -> Iterator[Needle]:
    """Runs of integers, in any width by their low bytes, and as text."""
    low = values.astype(np.uint8)
    for begin, end in spans(low):
        yield Needle(secret, "integers", low[begin:end].tobytes(), wide=True)
        for between in (",", ", ", "\n"):
            text = between.join(map(str, values[begin:end].tolist()))
            yield Needle(secret, "text", text.encode())


def _flags(secret: str, flags: np.ndarray) -> Iterator[Needle]:
    """Zeros and ones, also eight in a byte."""
    yield from _runs(secret, flags)
    for begin, end in spans(flags, step=8):
        for order in ("little", "big"):
            whole = flags[begin : end // 8 * 8 + 8]
            yield Needle(secret, f"bits, {order}", np.packbits(whole, bitorder=order).tobytes())


def _codes(view: View, shape: PublicShape) -> Iterator[Needle]:
    """Bin codes, column by column, and row by row as scoring takes them."""
    index, all_new = view.job.index(view.name), view.own.recode(view.table("score"))
    for use, binned in (("training", view.own), ("applicant", view.new), ("applicant", all_new)):
        for codes in binned.codes.values():
            yield from _runs(f"{view.name}'s {use} codes", codes)
        rows = shape.features(index, binned.codes)
        yield from _runs(f"{view.name}'s {use} codes", rows.reshape(-1))


def _values(view: View) -> Iterator[Needle]:
    """Values; but for columns whose values are 0, 1, 2 … as their codes are."""
    for use in ("train", "score"):
        for table in (view.table(use), view.rows(use)):
            for column, values in table.columns.items():
                if not np.array_equal(values, view.own.codings[column].codes(values)):
                    yield from _runs(f"{view.name}'s values", values)


def _pairs(secret: str, array: np.ndarray) -> Iterator[Needle]:
    words, heavy = array.reshape(-1), _heavy(array)
    for at in np.flatnonzero(heavy[1:] & heavy[:-1]).tolist():
        yield Needle(secret, "two words", words[at : at + 2].tobytes())


def _heavy(array: np.ndarray) -> np.ndarray:
    return np.abs(array.reshape(-1).view(np.int64)) >= HEAVY


def _weights(model: object) -> np.ndarray:
    if isinstance(model, Scorecard):
        parts = [*model.weights.values(), [model.intercept, *model.coefficients.values()]]
        weights = np.concatenate(parts)
    else:
        weights = model.leaves.reshape(-1)
    return weights[np.abs(weights) * 2**WEIGHT_BITS >= HEAVY]


def _ids(lender: View, payco: View) -> Iterator[Needle]:
    ours, theirs = (
        {*view.table("train").ids.tolist(), *view.table("score").ids.tolist()}
        for view in (lender, payco)
    )
    for secret, ids in (
        ("ids of lender only", ours - theirs),
        ("ids of payco only", theirs - ours),
        ("common ids", ours & theirs),
    ):
        for one in sorted(ids):
            yield Needle(secret, "text", one.encode())
            yield Needle(secret, "array of text", one.encode("utf-32-le"))


def _keys(secret: str, folder: Path) -> Iterator[Needle]:
    """Private keys: the number itself, in both byte orders, and the PEM lines that hold it.

    The third line of a key on P-256 holds public bytes only.
    """
    for path in sorted(folder.iterdir()):
        pem = path.read_bytes()
        if b"PRIVATE KEY" not in pem:
            continue
        key = load_pem_private_key(pem, None)
        if isinstance(key, EllipticCurvePrivateKey):
            raw = key.private_numbers().private_value.to_bytes(32, "big")
        else:
            raw = key.private_bytes_raw()
        yield Needle(secret, f"{path.name}, big endian", raw)
        yield Needle(secret, f"{path.name}, little endian", raw[::-1])
        for line in pem.splitlines()[1:-1][:2]:
            yield Needle(secret, f"{path.name}, PEM", line)
