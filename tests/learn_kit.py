"""Data and partitions for the tests of joint learning, and what a secret holds."""

from functools import cache

import numpy as np
from sklearn.model_selection import train_test_split

from moiety.data.bins import Bins
from moiety.data.credit import COLUMNS, SPLITS, load_credit
from moiety.function.runner import Owned
from moiety.learn.metrics import auc
from moiety.learn.partition import Horizontal, Vertical
from moiety.learn.scale import SCORE_BITS
from moiety.ring import decode
from moiety.run import twin
from moiety.run.local import Clear, Twin

PARTIES = ("bank", "payco", "union")
RUNNERS = {"clear": Clear, "twin": Twin}
KINDS = ("plain", "vertical", "three columns", "horizontal")


@cache
def runner(kind="twin"):
    """One for all tests: plans are made once."""
    return RUNNERS[kind](PARTIES)


def opened(secret):
    """The numbers that a secret stands for: whoever has all shares can tell."""
    if len(secret.parts) == 1:
        return secret.parts[0]
    words = secret.parts[0] + secret.parts[1]
    return np.ldexp(words.view(np.int64).astype(np.float64), -secret.type.fraction)


def divided(kind, X, y):
    """The table and its labels among owners: `plain` as arrays, or parts by owner."""
    n, d = X.shape
    if kind == "plain":
        return X, y
    if kind == "vertical":
        return Vertical(payco=X[:, : d // 2], bank=X[:, d // 2 :]), Owned.of("bank", y)
    if kind == "three columns":
        parts = {"bank": X[:, :1], "union": X[:, 1:2], "payco": X[:, 2:]}
        return Vertical(**parts), Owned.of("payco", y)
    ends = dict(zip(PARTIES, ((0, n // 2), (n // 2, n - n // 5), (n - n // 5, n)), strict=True))
    cut = lambda data: {name: data[slice(*end)] for name, end in ends.items()}  # noqa: E731
    return Horizontal(**cut(X)), Horizontal(**cut(y))


def sample(rows=300, columns=5, seed=3):
    """Columns of unlike scales, two of them alike, and labels that depend on them."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, columns)) * np.linspace(0.2, 1.5, columns)
    X[:, 1] = X[:, 0] + 0.3 * X[:, 1]
    w = rng.normal(size=columns)
    y = rng.uniform(size=rows) < 1 / (1 + np.exp(0.7 - X @ w))
    return np.clip(X, -4, 4), y.astype(np.int64)


@cache
def credit():
    """All 30,000 rows, and the rows that train and test: one in five, stratified, seed 42."""
    table = load_credit()
    y = table.label.astype(np.int64)
    train, test = train_test_split(np.arange(len(y)), test_size=0.2, stratify=y, random_state=42)
    return table, y, train, test


@cache
def standardised():
    """The columns with mean 0 and deviation 1 over the training rows."""
    table, _, train, _ = credit()
    X = np.column_stack([table[name] for name in COLUMNS]).astype(float)
    return (X - X[train].mean(axis=0)) / X[train].std(axis=0)


@cache
def binned(most):
    """Bin codes by training quantiles, and the number of bins of each column."""
    table, _, train, _ = credit()
    bins = [Bins.fit(table[name][train], most) for name in COLUMNS]
    codes = [cut.codes(table[name]) for cut, name in zip(bins, COLUMNS, strict=True)]
    return np.column_stack(codes), tuple(cut.count for cut in bins)


def order():
    """The places of the lender's five columns, then of the payment company's eighteen."""
    own = [COLUMNS.index(name) for name in SPLITS["thin"]]
    return own + [at for at in range(len(COLUMNS)) if at not in own]


def thin(X, rows):
    """These rows of both parties' columns."""
    return Vertical(bank=X[rows][:, order()[:5]], payco=X[rows][:, order()[5:]])


def reached(model, X, y):
    """The AUC on rows that nobody trained on."""
    return auc(y, model.decision_function(X))


def scored(model, rows, receiver, owner=None, own=None):
    """What the program of prediction reveals, from the model's shares and each party's columns."""
    shared = model.model(owner)
    plan = shared.shape.program(rows, receiver)
    assert set(shared.arrays) | {f"features_{party}" for party in own} == set(plan.inputs)
    held = [
        {name: secret.parts[party] for name, secret in shared.arrays.items()} for party in (0, 1)
    ]
    for party, columns in own.items():
        features = {str(at): column for at, column in enumerate(columns.T)}
        held[party][f"features_{party}"] = shared.shape.features(party, features)
    told = twin.run(plan, held).results
    assert told[1 - receiver] == {}
    return decode(told[receiver]["score"], SCORE_BITS)[:, 0]
