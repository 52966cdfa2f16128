"""All of the credit data: as near to other packages as the documentation says; and its example."""

import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression as Logistic
from sklearn.neural_network import MLPClassifier as Perceptron

from learn_kit import PARTIES, RUNNERS, binned, credit, order, reached, standardised, thin
from moiety.data.credit import COLUMNS
from moiety.function.runner import Owned
from moiety.learn import (
    BoostedTreesClassifier,
    LogisticRegression,
    MLPClassifier,
    ScorecardClassifier,
)
from moiety.learn.metrics import auc
from moiety.learn.scorecard import fit_scorecard
from moiety.learn.trees import Growth, fit_trees

PAGE = (Path(__file__).parent.parent / "docs" / "learning.md").read_text(encoding="utf-8")


def rows_of(model):
    """What the table of the documentation says of a model."""
    (row,) = re.findall(rf"^\| {model} \|(.*)\|$", PAGE, re.M)
    _, *numbers = row.split("|")
    *aucs, rounds = (float(number.replace(",", "")) for number in numbers)
    return aucs, int(rounds)


def coded(most, fit):
    """The AUC of a model of the enclave's on bin codes."""
    _, y, train, test = credit()
    codes, counts = binned(most)
    tables = [dict(zip(COLUMNS, codes[rows].T, strict=True)) for rows in (train, test)]
    return auc(
        y[test], fit(tables[0], dict(zip(COLUMNS, counts, strict=True)), y[train]).logit(tables[1])
    )


def numbers(model, cut):
    _, y, train, test = credit()
    Z = np.clip(standardised(), -cut, cut)[:, order()]
    return auc(y[test], model.fit(Z[train], y[train]).predict_proba(Z[test])[:, 1])


def bins(most):
    return [binned(most)[1][at] for at in order()]


MODELS = {
    "scorecard": (
        lambda run: ScorecardClassifier(run, bins=bins(10)),
        lambda: binned(10)[0],
        lambda: coded(10, fit_scorecard),
        0.001,
    ),
    "logistic": (
        lambda run: LogisticRegression(run, clip=8.0),
        standardised,
        lambda: numbers(Logistic(), 1e9),
        0.001,
    ),
    "perceptron": (
        MLPClassifier,
        standardised,
        lambda: numbers(
            Perceptron(
                (16,),
                solver="sgd",
                batch_size=500,
                learning_rate_init=0.05,
                nesterovs_momentum=False,
                max_iter=10,
                random_state=0,
            ),
            4,
        ),
        0.003,
    ),
    "trees": (
        lambda run: BoostedTreesClassifier(run, bins=bins(16)),
        lambda: binned(16)[0],
        lambda: coded(16, lambda *data: fit_trees(*data, Growth(20, 3, 0.3, 1))),
        0.002,
    ),
}


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", MODELS)
def test_the_table_of_the_documentation(name, request):
    if "nightly" not in request.config.option.markexpr:
        pytest.skip("nightly: pytest -m nightly")
    make, table, package, tolerance = MODELS[name]
    _, y, train, test = credit()
    found = [package()]
    for kind in ("clear", "twin"):
        model = make(RUNNERS[kind](PARTIES)).fit(thin(table(), train), Owned.of("bank", y[train]))
        rounds = sum(one.rounds for one in model.runner.spent.values())
        found.append(reached(model, thin(table(), test), y[test]))
    told, told_rounds = rows_of(name)
    assert np.abs(np.array(found) - told).max() < 6e-4, found
    assert rounds == told_rounds
    assert abs(found[1] - found[2]) < tolerance


def test_the_example_of_the_documentation(capsys):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    exec(compile(code, "learning.md", "exec"), {})
    shown = capsys.readouterr().out
    assert shown.startswith("Secret(") and float(shown.split()[-1]) > 0.75
