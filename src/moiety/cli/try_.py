"""`moiety try`: a secure function run among local party processes, against its plain meaning."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import typer

from moiety.cli import console, load
from moiety.cli.arena import Arena
from moiety.cli.explain import Error, Force, Fraction, Measured, Network
from moiety.cli.load import Wanted
from moiety.errors import UsageError
from moiety.function.function import Compiled
from moiety.lang.primitive import Array
from moiety.run.dealing import Material
from moiety.run.rehearsal import Compared, Outcome, Ran, Runner, in_memory, rehearse

PROFILES = ("dealer", "clear")
PLANNED = ("enclave", "three", "two")


def try_(
    place: str = typer.Argument(metavar="FILE.py:FUNCTION"),
    arg: list[str] = typer.Option([], help="An argument: x=FILE.npy, or steps=3."),
    profile: str = typer.Option("dealer", help="dealer, or clear: no secure run."),
    network: str = Network,
    calibration: Path = Measured,
    error: float = Error,
    force: list[str] = Force,
    fraction: int = Fraction,
    twin: bool = typer.Option(False, help="All parties in this process, not in their own."),
    json: bool = typer.Option(False, "--json", help="Print JSON for machines."),
) -> None:
    """Run a secure function on this machine with everybody's data, and check it."""
    _check_profile(profile)
    wanted = Wanted(
        place,
        arguments=tuple(arg),
        fraction=fraction,
        network=network,
        calibration=load.calibration(calibration),
        error=error,
        force=tuple(force),
    )
    compiled, given = wanted.compiled(), wanted.given()
    secret = {name: np.asarray(given[name]) for name in compiled.arguments}
    runner = None if profile == "clear" else in_memory if twin else _processes(wanted)
    _show(compiled, rehearse(compiled, secret, runner), as_json=json)


def _check_profile(profile: str) -> None:
    if profile in PLANNED:
        raise UsageError(
            f"the profile {profile!r} does not exist yet", hint=f"use {' or '.join(PROFILES)}"
        )
    if profile not in PROFILES:
        raise UsageError(f"there is no profile {profile!r}", hint=f"use {' or '.join(PROFILES)}")


def _processes(wanted: Wanted) -> Runner:
    """Runs each party in a process of its own; this one deals and holds all the data."""

    def run(
        compiled: Compiled,
        brought: Sequence[Mapping[str, Array]],
        material: tuple[Material, Material],
    ) -> Ran:
        with Arena() as arena:
            arena.order(wanted, compiled, brought)
            found = arena.run(material)
        return found.held, found.levels[0]

    return run


def _show(compiled: Compiled, outcome: Outcome, *, as_json: bool) -> None:
    body: dict[str, Any] = {"results": [_fields(one) for one in outcome.results]}
    lines = [_line(one) for one in outcome.results]
    if outcome.measured:
        page = compiled.explain(outcome.measured)
        body["explanation"] = page.data.json
        lines.append(page.summary)
    if as_json:
        console.result(body, "", as_json=True)
    else:
        console.out(console.printable("\n".join(lines)))


BEYOND = (
    "\n  beyond the bound: numbers that differ by less than their rounding were compared,"
    "\n  which the words can tell as little as measurements could"
)


def _fields(one: Compared) -> dict[str, Any]:
    return {**vars(one), "value": one.value.tolist()}


def _line(one: Compared) -> str:
    value = np.array2string(one.value, precision=6, threshold=12)
    bound = "not stated" if one.bound == float("inf") else f"{one.bound:.3g}"
    told = (
        f"{one.name} → {one.receiver}: {value}\n"
        f"  {one.from_real:.3g} from float64 (bound {bound}), {one.from_clear:.3g} from exact words"
    )
    return told + (BEYOND if one.from_real > one.bound else "")
