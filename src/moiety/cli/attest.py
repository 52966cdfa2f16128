"""Which attester a verb uses: the hardware that is here, or a simulation that was asked for."""

from pathlib import Path

import typer

from moiety.cli import console
from moiety.enclave.attester import Attester, detect
from moiety.enclave.attester.scenario import Form, Scenario
from moiety.enclave.attester.simulation import SimulationAttester, SimulationPlatform
from moiety.errors import ConfigError, UsageError

Simulate = typer.Option(False, "--simulate", help="A SIMULATION: it keeps nothing from its host.")
Home = typer.Option(Path("enclave"), "--home", help="The operator's folder.")
CollateralFile = typer.Option(
    None, "--collateral", help="Intel's collateral of this platform (JSON), read at each quote."
)
_COLLATERAL = "get it for this platform from your PCCS, and name the file by --collateral"


def find_attester(
    *, simulate: bool, home: Path, collateral: Path | None, form: Form = "sgx-v3"
) -> Attester:
    """The hardware's attester; with `simulate`, that of the simulated platform in HOME/platform.

    `form` is what a simulation quotes.

    Raises:
        UsageError: a simulation has its own collateral, hardware its own form; SGX and TDX need a
            file with Intel's collateral.
        AttestationFailed: no hardware is here that attests, and no simulation was asked for.
    """
    if simulate:
        if collateral is not None:
            raise UsageError("a simulation signs its own collateral", hint="leave one option out")
        return _simulated(home / "platform", Scenario(form=form))
    if form != "sgx-v3":
        raise UsageError("hardware quotes in its own form", hint="--form goes with --simulate")
    found = detect(lambda: _read(collateral))
    if found.tee != "snp":
        _read(collateral)
    return found


def _simulated(folder: Path, scenario: Scenario) -> Attester:
    made = (folder / "root.der").exists()
    platform = SimulationPlatform.load(folder) if made else SimulationPlatform.create(folder)
    return SimulationAttester(platform, scenario=scenario)


def _read(collateral: Path | None) -> bytes:
    if collateral is None:
        raise UsageError("parties need Intel's collateral beside a quote", hint=_COLLATERAL)
    try:
        return collateral.read_bytes()
    except OSError as error:
        raise ConfigError(f"{collateral}: {error.strerror}", hint=_COLLATERAL) from error


def warn(found: Attester) -> None:
    """Says on the terminal that a simulation is one."""
    if not found.production:
        console.stderr.print("[bold red]SIMULATED[/]: whoever runs this host can quote anything")
