"""What each person has paid, over all data sets and releases of one party: `privacy.db`.

A person is a keyed hash of the id; the key lies beside, in `privacy.key`. A release is charged to
everybody in it in one transaction, on the disk before anything is drawn: a process that dies has
charged all of them or none. Only these two files know what was spent: never delete them, nor bring
older ones back.
"""

import hmac
import math
import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from moiety.data.ids import normalise_id
from moiety.errors import ConfigError, DataError, PolicyRefused, UsageError
from moiety.transform.account import LEAST, MOST, Guarantee

_SIZE = 16
_KEY = 32
_WAIT = 60.0
"""Seconds to wait for another process that charges."""
_TABLES = """
PRAGMA synchronous = EXTRA;
CREATE TABLE IF NOT EXISTS persons
    (person BLOB PRIMARY KEY, rho REAL NOT NULL, xi REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS releases
    (number INTEGER PRIMARY KEY, name TEXT NOT NULL, at TEXT NOT NULL, persons INTEGER NOT NULL,
     rho REAL NOT NULL, xi REAL NOT NULL, digest TEXT NOT NULL DEFAULT '');
CREATE TEMP TABLE batch (person BLOB PRIMARY KEY) WITHOUT ROWID;
"""
_HISTORIES = """
SELECT coalesce(rho, 0), coalesce(xi, 0), count(*)
FROM batch LEFT JOIN persons USING (person) GROUP BY 1, 2
"""
_CHARGE = """
INSERT INTO persons SELECT person, ?1, ?2 FROM batch WHERE true
ON CONFLICT (person) DO UPDATE SET rho = rho + ?1, xi = xi + ?2
"""
_RELEASE = "INSERT INTO releases (name, at, persons, rho, xi) VALUES (?, ?, ?, ?, ?)"


@dataclass(frozen=True)
class Release:
    """One release that was charged: what each of so many persons paid for it.

    The digest, of what left, is empty where nothing did. To hand out the same bytes again costs
    nobody anything.
    """

    number: int
    name: str
    at: str
    persons: int
    cost: Guarantee
    digest: str


@dataclass(frozen=True)
class Account:
    """How many persons have paid, the largest epsilon among them, what is left to them, and why."""

    persons: int
    spent: float
    left: float
    releases: tuple[Release, ...]


@dataclass(frozen=True)
class Ledger:
    """The ledger in a party's folder, and the budget of each person: epsilon at delta.

    With a budget of 0 nothing is ever charged; with an infinite one everything is.
    """

    home: Path
    epsilon: float
    delta: float

    def __post_init__(self) -> None:
        if not (self.epsilon >= 0 and 0 < self.delta < 1):
            raise UsageError(
                f"a budget of epsilon {self.epsilon:g} at delta {self.delta:g}",
                hint="epsilon is at least 0, delta is between 0 and 1, such as 1e-6",
            )

    def charge(self, ids: Iterable[str], cost: Guarantee, name: str = "", at: str = "") -> int:
        """The number of the release, after everybody in it was charged, on the disk.

        Ids are read one by one, and normalised as in a table.

        Raises:
            PolicyRefused: somebody would overspend; nobody was charged.
            DataError: there is no id, or one of them twice; nobody was charged.
        """
        with self._transaction() as database:
            persons = self._enter(database, ids)
            self._check(database.execute(_HISTORIES), persons, cost)
            database.execute(_CHARGE, (cost.rho, cost.xi))
            facts = (name, at, persons, cost.rho, cost.xi)
            return int(database.execute(_RELEASE, facts).lastrowid or 0)

    def sent(self, number: int, digest: str) -> None:
        """Notes the digest of what left with a release, so that it is known again."""
        with self._transaction() as database:
            database.execute("UPDATE releases SET digest = ? WHERE number = ?", (digest, number))

    def account(self) -> Account:
        """What was spent so far."""
        with self._transaction() as database:
            groups = list(database.execute("SELECT rho, xi, count(*) FROM persons GROUP BY 1, 2"))
            rows = list(database.execute("SELECT * FROM releases ORDER BY number"))
        spent = [self._history(rho, xi) for rho, xi, _ in groups]
        most = max(spent, key=lambda one: one.epsilon, default=self._history(0.0, 0.0))
        releases = tuple(
            Release(number, name, at, persons, self._history(rho, xi), digest)
            for number, name, at, persons, rho, xi, digest in rows
        )
        return Account(sum(n for *_, n in groups), most.epsilon, self._left(most), releases)

    def _history(self, rho: float, xi: float) -> Guarantee:
        return Guarantee(rho, self.delta, xi)

    def _left(self, spent: Guarantee) -> float:
        """The largest epsilon of one more release, all of it by noise, to who spent that."""
        if self.epsilon == math.inf:
            return math.inf
        most = min(self.epsilon - spent.xi, MOST)
        if most < LEAST:
            return 0.0
        rho = Guarantee.of(most, self.delta).rho - spent.rho
        return self._history(max(rho, 0.0), 0.0).epsilon

    def _enter(self, database: sqlite3.Connection, ids: Iterable[str]) -> int:
        key = self._key(database)
        rows = ((_person(key, one),) for one in ids)
        try:
            database.executemany("INSERT INTO batch VALUES (?)", rows)
        except sqlite3.IntegrityError:
            raise DataError(
                "a person is twice in one release", hint="a table has one row for each id"
            ) from None
        (persons,) = database.execute("SELECT count(*) FROM batch").fetchone()
        if not persons:
            raise DataError("a release of nobody", hint="give the ids of the rows")
        return int(persons)

    def _check(
        self, histories: Iterable[tuple[float, float, int]], persons: int, cost: Guarantee
    ) -> None:
        """Refuses a release if anybody would have spent more than the budget."""
        over, worst = 0, self._history(0.0, 0.0)
        for rho, xi, count in histories:
            spent = self._history(rho, xi)
            if (spent + self._history(cost.rho, cost.xi)).epsilon > self.epsilon:
                over += count
                worst = max(worst, spent, key=lambda one: one.epsilon)
        if not over:
            return
        total = worst + self._history(cost.rho, cost.xi)
        raise PolicyRefused(
            f"{over:,} of {persons:,} persons would have spent up to epsilon {total.epsilon:.3f}, "
            f"{total.epsilon - self.epsilon:.3f} more than the {self.epsilon:g} at delta "
            f"{self.delta:g} that policy.toml allows; at least one of them has "
            f"{self._left(worst):.3f} left",
            hint="hand out again what left before, spend less, or leave them out",
        )

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """All of what is done, on the disk, or nothing."""
        path = self.home / "privacy.db"
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        try:
            with closing(sqlite3.connect(path, timeout=_WAIT, isolation_level=None)) as database:
                database.executescript(_TABLES)
                database.execute("BEGIN IMMEDIATE")
                yield database
                database.execute("COMMIT")
        except sqlite3.OperationalError as error:
            hint = "another process may be charging; is the disk full?"
            raise UsageError(f"{path} cannot be written: {error}", hint=hint) from None
        except sqlite3.DatabaseError:
            raise ConfigError(f"{path} is no ledger", hint="bring back what it was") from None

    def _key(self, database: sqlite3.Connection) -> bytes:
        """The key of the hashes; made for the first release."""
        path = self.home / "privacy.key"
        if not path.exists():
            if database.execute("SELECT count(*) FROM persons").fetchone() != (0,):
                raise ConfigError("the key of the ledger is gone", hint=f"bring back {path}")
            _new_key(path)
        key = path.read_bytes()
        if len(key) != _KEY:
            raise ConfigError(f"{path} is no key of a ledger", hint="bring back what it was")
        return key


def _new_key(path: Path) -> None:
    """A key that is whole and on the disk before anybody is charged under it."""
    fresh = path.with_suffix(".tmp")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(secrets.token_bytes(_KEY))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def _person(key: bytes, one: str) -> bytes:
    name = normalise_id(one)
    if not name:
        raise DataError("an id of nothing but spaces or dashes", hint="give each row an id")
    return hmac.digest(key, b"person\0" + name.encode(), "sha256")[:_SIZE]
