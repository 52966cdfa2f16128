"""One worker of a cluster: it meets the others, does its task with them, and ends with them."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn, TypeVar

from moiety.enclave.collectives import PATIENCE, Collectives
from moiety.enclave.guard import Guard
from moiety.enclave.mesh import Door, meet
from moiety.enclave.peering import Side
from moiety.enclave.roster import Roster
from moiety.errors import MoietyError, told

T = TypeVar("T")

SILENCE = 10.0
"""Seconds without a sign of life after which a worker is given up."""
BEAT = 1.0


def watch() -> Guard:
    """The watch of a worker: it notices a peer that is gone at once, one that is silent soon."""
    return Guard(silence=SILENCE, beat=BEAT)


def work(
    roster: Roster,
    side: Side,
    door: Door,
    task: Callable[[Collectives], T],
    *,
    patience: float = PATIENCE,
) -> T:
    """What the task returns, once all workers have done theirs.

    A worker that fails tells the others why; they stop within seconds, as they do when one is gone.
    During the task nothing is written to the process's standard error.

    Raises:
        MoietyError: what `meet` and the task raise; the process should then `end`.
    """
    with door.watch:
        try:
            mesh = meet(roster, side, door)
            door.watch.enter("the task")
            with _unheard():
                found = task(Collectives(mesh, patience=patience))
            door.watch.finish()
        except BaseException as error:
            door.watch.abort(told(error))
            raise
    return found


@contextmanager
def _unheard() -> Iterator[None]:
    """Standard error goes nowhere: LightGBM writes its last words there, which may quote data.

    Its host reads what an enclave writes. For the whole process, until the block ends.
    """
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def end(error: BaseException) -> NoReturn:
    """Ends the process with the error's sentence and exit code; no thread of it goes on.

    LightGBM's thread may be in the midst of its work: an orderly exit would take its memory away.
    """
    known = isinstance(error, MoietyError)
    words = str(error) if known else f"a fault ({type(error).__name__})"
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()
    os._exit(error.exit_code if isinstance(error, MoietyError) else MoietyError.exit_code)
