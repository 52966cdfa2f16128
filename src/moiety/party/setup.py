"""Making a party's folder, and what it knows: keys, peers, tables."""

import re
from pathlib import Path

from moiety.agreement.fields import read_toml
from moiety.agreement.manifest import is_name, pin, pin_text
from moiety.agreement.signing import SigningKey, public_key, write_private
from moiety.data.schema import quoted
from moiety.data.table import Table, load_schema, propose_schema
from moiety.errors import ConfigError
from moiety.wire.certificates import Credentials, fingerprint, make_credentials

CERTIFICATE_DAYS = 365

_PARTY = """\
# The engineer's file: who I am, whom I know, what I have. Peers and tables are added below by
# `moiety peer add` and `moiety data add`.
name = {name}
listen = {listen}       # the address at which peers reach me
enclave = {enclave}      # the address of the enclave
"""

_POLICY = """\
# The security officer's file: what {name} allows. What is unset is refused.
purposes = []             # the exact purposes of jobs that may run
models = []               # "scorecard", "trees", "logistic", "perceptron"
training = []             # "enclave": on joined rows, inside; "mpc": by the parties, on shares
scores_to = []            # parties that may receive scores
max_peer_rows = 0         # the most ids a peer may bring to an alignment
min_common = 1000         # the smallest intersection that may be used
max_predictions = 0

[columns]                 # per data set, the columns that may be used
# clients = ["age"]

[transform]               # what each person may spend in all releases of transformed rows
max_epsilon = 0           # 0: nothing may leave
delta = 1e-6

[enclave]
hosts = []                # who may operate the enclave, or the dealer
dealers = []              # sha256:… of dealers that are no enclaves, for jobs trained by MPC
measurements = []         # `moiety enclave measure` prints that of the installed code
tcb_statuses = ["UpToDate"]
accepted_advisories = []
allow_simulation = false  # a simulated enclave keeps nothing from its host
# simulation_root = "simulation-root.der"
"""


def init_party(home: Path, name: str, *, listen: str, enclave: str = "") -> Path:
    """Makes a party's folder with fresh keys and a policy that allows nothing; returns its card.

    The card holds public facts only: name, address, certificate fingerprint, signing key.

    Raises:
        ConfigError: the folder is a party's already, or the name is unfit.
    """
    if not is_name(name) or name == "enclave":
        raise ConfigError(
            f"'{name}' cannot be a party's name", hint="use at most 40 letters, digits and _"
        )
    if (home / "party.toml").exists():
        raise ConfigError(f"{home} is a party's folder already", hint="keys are never overwritten")
    key = SigningKey.create()
    key.save(home / "keys" / "signing.pem")
    credentials = _write_credentials(home, name)
    about = {"name": quoted(name), "listen": quoted(listen), "enclave": quoted(enclave)}
    _write(home / "party.toml", _PARTY.format(**about))
    _write(home / "policy.toml", _POLICY.format(name=name))
    card = home / f"{name}.card.toml"
    certificate = pin_text(fingerprint(credentials.certificate))
    facts = {"certificate": certificate, "signing_key": key.public}
    _write(card, _lines({"name": name, "address": listen, **facts}))
    return card


def init_dealer(home: Path) -> None:
    """Makes a dealer's folder: a key and a certificate for TLS.

    Raises:
        ConfigError: the folder has them already.
    """
    if (home / "keys" / "tls.pem").exists():
        raise ConfigError(f"{home} has keys already", hint="keys are never overwritten")
    _write_credentials(home, "dealer")


def _write_credentials(home: Path, name: str) -> Credentials:
    credentials = make_credentials(name, CERTIFICATE_DAYS)
    write_private(home / "keys" / "tls.pem", credentials.certificate_pem)
    write_private(home / "keys" / "tls.key", credentials.key_pem)
    return credentials


def add_peer(home: Path, card: Path) -> str:
    """Adds the party of a card to this party's `party.toml`; returns its name.

    Raises:
        ConfigError: the card is not one, is this party's own, or names a party known already.
    """
    fields = read_toml(card)
    name, address = fields.text("name"), fields.text("address")
    facts = {key: fields.text(key) for key in ("certificate", "signing_key")}
    fields.done()
    pin(facts["certificate"])
    public_key(facts["signing_key"])
    if not is_name(name) or name == read_toml(home / "party.toml").text("name"):
        raise ConfigError(f"{card}: '{name}' cannot be the name of a peer of {home}")
    _append(home, "peers", name, {"address": address, **facts})
    return name


def add_data(
    home: Path, path: Path, *, name: str, id: str, label: str | None, schema: Path | None
) -> Table:
    """Adds a table to this party's `party.toml` after reading it whole against its schema.

    Without a schema one is proposed beside the table, its bounds taken from the data, and nothing
    is added: a person must check the bounds, for whatever is proved later rests on them.

    Raises:
        ConfigError: a schema was proposed and awaits a person; or the name is taken, or unfit.
        DataError: the table does not hold what the schema declares.
    """
    _check_free(home, "data", name)
    if schema is None:
        schema = path.with_suffix(".schema.toml")
        if not schema.exists():
            schema.write_text(propose_schema(path), encoding="utf-8")
            raise ConfigError(
                f"a schema was proposed in {schema}; its bounds were taken from the data",
                hint="check every bound, then run the same command again",
            )
    table = Table.load(path, load_schema(schema), id=id, label=label)
    where = {"path": str(path.resolve()), "schema": str(schema.resolve()), "id": id}
    _append(home, "data", name, where | ({"label": label} if label else {}))
    return table


def _append(home: Path, group: str, name: str, facts: dict[str, str]) -> None:
    _check_free(home, group, name)
    with (home / "party.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n[{group}.{name}]\n{_lines(facts)}")


def _check_free(home: Path, group: str, name: str) -> None:
    path = home / "party.toml"
    if not re.fullmatch("[A-Za-z0-9_-]{1,40}", name):
        raise ConfigError(f"'{name}' cannot be a name", hint="use at most 40 letters, digits, _, -")
    if name in read_toml(path).tables(group):
        hint = "edit it, or choose another name"
        raise ConfigError(f"{path} has [{group}.{name}] already", hint=hint)


def _lines(facts: dict[str, str]) -> str:
    return "".join(f"{key} = {quoted(value)}\n" for key, value in facts.items())


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
