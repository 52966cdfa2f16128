"""The verbs of a party that lets transformed rows leave: fit, apply, account."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn

from moiety.cli import console
from moiety.party.config import load_party
from moiety.party.source import Progress as Told
from moiety.party.transform_file import (
    Agreed,
    apply_transform,
    check_free,
    fit_transform,
    load_transform,
    read_agreed,
    save_transform,
)
from moiety.transform.account import Guarantee
from moiety.transform.ledger import Release
from moiety.transform.settings import METHODS, Settings

transform = typer.Typer(
    no_args_is_help=True, help="Let noisy points of rows leave, and account for each person."
)

Home = typer.Option(Path("."), "--home", help="The party's folder.")
Json = typer.Option(False, "--json", help="Print JSON for machines.")


@transform.command("fit")
def fit(
    dataset: str = typer.Argument(help="A data set of this party."),
    out: Path = typer.Option(
        ..., "--out", help="Where the transform is written, for its owner only."
    ),
    dimensions: int = typer.Option(8, help="Numbers that a row becomes; fewer than its columns."),
    epsilon: float = typer.Option(3.0, help="What a person pays for fit and one apply."),
    delta: float = typer.Option(1e-6, help="The probability with which epsilon may fail."),
    clip: float = typer.Option(1.0, help="The largest norm of a row; longer ones are shortened."),
    method: str = typer.Option("random", help=f"{', '.join(METHODS)}; the latter two learn."),
    share: float = typer.Option(0.25, help="The share of the budget that learning takes."),
    seed: str = typer.Option("", help="32 hexadecimal digits, the same for all who pool rows."),
    agreed: Path | None = typer.Option(
        None, help="Scales and edges that owners agreed on, in TOML."
    ),
    labels_epsilon: float = typer.Option(0.0, help="Labels leave, too, flipped for this epsilon."),
    home: Path = Home,
    json: bool = Json,
) -> None:
    """Choose a projection and its noise for the columns that the policy admits."""
    settings = Settings(dimensions, epsilon, delta, clip, method, share, seed or None)
    terms = read_agreed(agreed) if agreed is not None else Agreed()
    check_free(out)
    made = fit_transform(load_party(home), dataset, settings, terms, labels_epsilon or None)
    save_transform(made, out)
    learned, columns, sigma = settings.learned, made.encoding.width, made.mechanism.sigma
    learning = f"; learning cost epsilon {learned.epsilon:.3g}" if learned.rho else ""
    text = (
        f"wrote {out}: {columns} numbers of a row become {dimensions}, with noise of deviation "
        f"{sigma:.3g} to a norm of {clip:g}{learning}; a release costs a person {_cost(made.cost)}"
    )
    body = {
        "transform": str(out),
        "columns": columns,
        "dimensions": dimensions,
        "sigma": sigma,
        "learned_epsilon": _number(learned.epsilon),
        "release_epsilon": _number(made.cost.epsilon),
        "delta": delta,
    }
    console.result(body, text, as_json=json)


@transform.command("apply")
def apply(
    path: Path = typer.Argument(help="A transform that fit wrote."),
    dataset: str = typer.Argument(help="A data set of this party."),
    out: Path = typer.Option(..., "--out", help="The Parquet file that may leave."),
    home: Path = Home,
    json: bool = Json,
) -> None:
    """Charge everybody in a data set, then write ids and noisy points of their rows."""
    party, made = load_party(home), load_transform(path)
    with _rows_read(dataset, quiet=json) as told:
        done = apply_transform(party, dataset, made, out, told)
    left = party.ledger.account().left
    text = (
        f"wrote {out}: {done.rows:,} rows of {made.dimensions} noisy numbers; each person paid "
        f"{_cost(made.cost)}, and who has spent most has epsilon {left:.3g} left"
    )
    body = {
        "release": done.number,
        "file": str(out),
        "rows": done.rows,
        "sha256": done.digest,
        "epsilon": _number(made.cost.epsilon),
        "delta": made.cost.delta,
        "left": _number(left),
    }
    console.result(body, text, as_json=json)


@transform.command("account")
def account(home: Path = Home, json: bool = Json) -> None:
    """Say what persons have spent, on which releases, and what is left to them."""
    ledger = load_party(home).ledger
    found = ledger.account()
    text = (
        f"{found.persons:,} persons in {len(found.releases)} releases; who has spent most: epsilon "
        f"{found.spent:.3g} of {ledger.epsilon:g} at delta {ledger.delta:g}, {found.left:.3g} left"
    )
    body = {
        "persons": found.persons,
        "spent": _number(found.spent),
        "left": _number(found.left),
        "budget": {"epsilon": _number(ledger.epsilon), "delta": ledger.delta},
        "releases": [_body(one) for one in found.releases],
    }
    console.result(body, "\n".join([text, *map(_line, found.releases)]), as_json=json)


def _line(one: Release) -> str:
    sent = f"sha256 {one.digest}" if one.digest else "not known to have left"
    cost = _cost(one.cost)
    return f"{one.number:>5}  {one.at[:19]}  {one.name}: {one.persons:,} persons, {cost}, {sent}"


def _body(one: Release) -> dict[str, Any]:
    facts = {"number": one.number, "at": one.at, "name": one.name, "persons": one.persons}
    return {**facts, "epsilon": _number(one.cost.epsilon), "sha256": one.digest or None}


def _cost(cost: Guarantee) -> str:
    return f"epsilon {cost.epsilon:.3g} at delta {cost.delta:g}"


def _number(value: float) -> float | None:
    """What JSON can hold: nothing for what is infinite."""
    return value if math.isfinite(value) else None


@contextmanager
def _rows_read(dataset: str, *, quiet: bool) -> Iterator[Told]:
    """Shows how many rows were read; once to charge their people, once more to write them."""
    columns = (SpinnerColumn(), TextColumn("{task.description} {task.completed:,.0f}"))
    silent = quiet or not console.stderr.is_terminal
    with Progress(*columns, console=console.stderr, transient=True, disable=silent) as bar:
        task = bar.add_task(f"{dataset}: rows", total=None)
        yield lambda rows: bar.update(task, completed=rows)
