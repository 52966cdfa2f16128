"""`moiety demo …`: jobs on real data, each party and its helper in a process of this machine."""

import shutil
from pathlib import Path

import typer

from moiety.agreement.manifest import LEAKAGE
from moiety.agreement.model import BY_MPC, BY_TRANSFORM, MODELS
from moiety.cli import console
from moiety.cli.oracle import compare_with_plaintext
from moiety.cli.processes import run_all, shown, told
from moiety.cli.stage import Actor, Stage, Terms, set_stage
from moiety.cli.stories import WAYS, credit_terms, lending_terms, rural_terms, rural_transform
from moiety.cli.stories import credit as credit_cast
from moiety.cli.stories import lending as lending_cast
from moiety.cli.stories import rural as rural_cast
from moiety.data.credit import split_credit
from moiety.errors import UsageError
from moiety.report.stored import from_json
from moiety.report.terminal import summary
from moiety.run.steps import Event

demo = typer.Typer(no_args_is_help=True, help="Real-data stories on this machine.")

SPLITS = ("thin", "bills", "strong", "fate")
SEED = 20
_FLOWING = (("trees", "enclave-mpc"), ("trees", "enclave"))

Model = typer.Option("scorecard", help="scorecard or trees.")
Joint = typer.Option("scorecard", help="scorecard, trees, logistic or perceptron.")
Folder = typer.Option(Path("moiety-demo"), help="Made anew each time.")
Plaintext = typer.Option(True, help="Compare with plaintext afterwards, outside the job.")
Split = typer.Option("thin", help="Who has which columns: thin, bills, strong, fate.")
Overlap = typer.Option(0.8, min=0.05, max=1.0, help="Share of clients in common.")
Plain = typer.Option(False, "--dealer", help="A dealer that is no enclave deals.")
Ahead = typer.Option(False, "--ahead", help="All is dealt ahead; the run needs no dealer.")
Way = typer.Option("enclave-mpc", help="enclave-mpc, enclave (it scores, too), or transform.")
Epsilon = typer.Option(3.0, min=0.01, help="With --way transform: each person's ε.")
Leakage = typer.Option("fast", help="Of the enclave: fast, or constant-flow (trees).")
Json = typer.Option(False, "--json", help="Print JSON for machines.")


@demo.callback()
def group() -> None:
    """Real-data stories on this machine."""


@demo.command("credit")
def credit(
    split: str = Split,
    model: str = Model,
    overlap: float = Overlap,
    way: str = Way,
    epsilon: float = Epsilon,
    leakage: str = Leakage,
    folder: Path = Folder,
    oracle: bool = Plaintext,
    json: bool = Json,
) -> None:
    """A rural lender and a payment company make a joint credit score, and pool nothing."""
    _check(split, model, MODELS)
    cast = credit_cast(split_credit(split, overlap=overlap, seed=SEED))
    story = "A rural lender and a payment company make a joint credit score."
    if way not in WAYS:
        raise UsageError(
            f"no way '{way}'", hint=f"one of {', '.join(WAYS)}; or moiety demo lending"
        )
    _check_leakage(leakage, model, way)
    terms = credit_terms(model, way, payco=cast[1].columns, epsilon=epsilon, leakage=leakage)
    _play(folder, story, cast, terms, oracle=oracle and way != "transform", as_json=json)


@demo.command("lending")
def lending(
    split: str = Split,
    model: str = Joint,
    overlap: float = Overlap,
    dealer: bool = Plain,
    ahead: bool = Ahead,
    folder: Path = Folder,
    oracle: bool = Plaintext,
    json: bool = Json,
) -> None:
    """Two banks train and use a joint model on shares: no enclave, and nobody else, sees a row."""
    _check(split, model, BY_MPC)
    cast = lending_cast(split_credit(split, overlap=overlap, seed=SEED))
    story = "Two banks train and use a joint model on shares; nobody ever sees rows of both."
    terms = lending_terms(model, dealer=dealer)
    _play(folder, story, cast, terms, oracle=oracle, as_json=json, ahead=ahead)


@demo.command("rural")
def rural(
    model: str = Joint,
    clients: int = typer.Option(500, min=100, max=5000, help="The credit union's clients."),
    way: str = typer.Option("mpc", help="mpc, or transform: lenders send noisy points of rows."),
    epsilon: float = Epsilon,
    dealer: bool = Plain,
    ahead: bool = Ahead,
    folder: Path = Folder,
    oracle: bool = Plaintext,
    json: bool = Json,
) -> None:
    """A credit union with few clients learns with two larger lenders, all on shares."""
    transformed = way == "transform"
    if way not in ("mpc", "transform") or (transformed and (dealer or ahead)):
        raise UsageError(f"no such way '{way}', or one that needs no dealer", hint="mpc, transform")
    _check("thin", model, BY_TRANSFORM if transformed else BY_MPC)
    how = "from noisy points" if transformed else "all on shares"
    story = f"A credit union with few clients learns with two larger lenders, {how}."
    terms = (
        rural_transform(model, epsilon=epsilon, min_common=100)
        if transformed
        else rural_terms(model, dealer=dealer, min_common=100)
    )
    cast = rural_cast(union=clients)
    oracle = oracle and not transformed
    _play(folder, story, cast, terms, oracle=oracle, as_json=json, ahead=ahead)


def _check(split: str, model: str, models: tuple[str, ...]) -> None:
    if split not in SPLITS or model not in models:
        raise UsageError(
            f"no demo with split '{split}' and model '{model}'",
            hint=f"splits: {', '.join(SPLITS)}; models: {', '.join(models)}",
        )


def _check_leakage(leakage: str, model: str, way: str) -> None:
    if leakage not in LEAKAGE or (leakage != "fast" and (model, way) not in _FLOWING):
        raise UsageError(
            f"no leakage '{leakage}' with model '{model}' and way '{way}'",
            hint=f"one of {', '.join(LEAKAGE)}; constant-flow with --model trees, in an enclave",
        )


def _play(
    folder: Path,
    story: str,
    cast: tuple[Actor, ...],
    terms: Terms,
    *,
    oracle: bool,
    as_json: bool,
    ahead: bool = False,
) -> None:
    _clear(folder)
    stage = set_stage(folder, cast, terms)
    if not as_json:
        _introduce(stage, story)
    commands = stage.commands()
    if ahead:
        run_all(stage.commands("offline"), tell=told if as_json else shown)
        del commands[terms.helper]
    run_all(commands, tell=told if as_json else shown)
    if oracle:
        _oracle(stage, as_json=as_json)
    _conclude(stage, as_json=as_json)


MARK = ".moiety-demo"


def _clear(folder: Path) -> None:
    if folder.exists():
        if any(folder.iterdir()) and not (folder / MARK).exists():
            raise UsageError(
                f"{folder} is not empty and was not made by the demo",
                hint="choose another with --folder",
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARK).write_text("made by moiety demo, which deletes it\n", encoding="utf-8")


def _introduce(stage: Stage, story: str) -> None:
    count = len(stage.actors) + bool(stage.terms.helper)
    console.stderr.print(
        f"[bold]{story}[/]\n{count} processes in {stage.folder}, connected by mutual TLS only.\n"
    )
    for actor in stage.actors:
        console.stderr.print(f"{actor.name}: {actor.about}")
    console.stderr.print()


def _oracle(stage: Stage, *, as_json: bool) -> None:
    found = compare_with_plaintext(stage.folder)
    text = (
        f"secure against plaintext scores: largest difference {found.largest_difference:.1e} "
        f"in probability, {found.auc_difference:+.1e} in AUC "
        "(the demo holds all tables, the job did not)"
    )
    console.listener("oracle", as_json=as_json)(Event("oracle", "noted", text))


def _conclude(stage: Stage, *, as_json: bool) -> None:
    receiver = stage.terms.scores_to
    report = stage.page(receiver).with_name("report.json").read_text(encoding="utf-8")
    if as_json:
        console.out(report)
        return
    console.stdout.print(summary(from_json(report)))
    console.out("")
    for actor in sorted(stage.actors, key=lambda actor: actor.name != receiver):
        console.out(f"The report of {actor.name}: {stage.page(actor.name)}")
