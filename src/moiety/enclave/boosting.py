"""Gradient boosting on rows that are divided among workers: LightGBM's, over attested channels.

LightGBM (Ke et al. 2017) trains data-parallel: each worker makes histograms of its own rows, and
every split is chosen on the sums of all. Trees are those of its plaintext sockets, bit by bit.

What workers learn: all have the model; each gets sums over the other workers' rows, of gradients by
bin and leaf, and bin edges found on the others' rows. The network sees sizes and times: with the
number and order of messages it learns how many splits each tree has.
"""

import hashlib
import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import lightgbm

from moiety.enclave.collectives import Collectives
from moiety.enclave.guard import Guard
from moiety.enclave.lightgbm_link import Link, silence
from moiety.errors import ConfigError, DataError

GLANCE = 0.25
"""Seconds between looks at who is still there while LightGBM computes."""

Parameters = dict[str, Any]
_OWN = {"tree_learner", "num_machines", "pre_partition", "verbosity"}
_SOCKETS = {"machines", "workers", "nodes", "machine_list_filename", "machine_list_file"}
_SOCKETS |= {"machine_list", "mlist", "local_listen_port", "local_port", "port", "num_machine"}


def boost(
    collectives: Collectives,
    data: Callable[[Parameters], lightgbm.Dataset],
    parameters: Mapping[str, Any],
    *,
    rounds: int,
) -> str:
    """The model as LightGBM's text, trained on all workers' rows; every worker has the same trees.

    `data` makes this worker's data set for the parameters that it is given. All workers must have
    the same columns, parameters and rounds. After an error LightGBM's thread cannot be stopped: it
    stands still at its next message, and the process must end (`moiety.enclave.worker.end`).

    Raises:
        ConfigError: a parameter that would open LightGBM's own sockets, or that is set here.
        DataError: LightGBM refuses the data or parameters.
        PeerLost: a worker is gone or does not answer; noticed within GLANCE seconds if it is gone.
        PeerMisbehaved: a worker has other parameters, does other steps, or has another model.
    """
    given = _complete(parameters, collectives.size)
    plan = sorted((name, value) for name, value in given.items() if name != "num_threads")
    collectives.agree(_digest(f"{rounds} {plan}"), "plan: parameters or rounds")

    def train() -> str:
        made = lightgbm.train(given, data(given), num_boost_round=rounds)
        return str(made.model_to_string())

    model = _Training(collectives, train).result(collectives.watch)
    collectives.agree(_digest(trees(model)), "model")
    return model


def trees(model: str) -> str:
    """The part of a model's text that holds the trees, without the parameters of one worker."""
    return model.partition("\nparameters:")[0]


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _complete(parameters: Mapping[str, Any], size: int) -> Parameters:
    if wrong := sorted(parameters.keys() & (_OWN | _SOCKETS)):
        raise ConfigError(
            f"LightGBM's {', '.join(wrong)} cannot be set here",
            hint="the workers' connections are attested channels, which the roster names",
        )
    network = {"tree_learner": "data", "num_machines": size, "pre_partition": True}
    exact = {"deterministic": True, "force_row_wise": not parameters.get("force_col_wise", False)}
    return {**exact, **parameters, **(network if size > 1 else {}), "verbosity": -1}


class _Training(threading.Thread):
    """LightGBM at work in a thread of its own, to which its network belongs."""

    def __init__(self, collectives: Collectives, work: Callable[[], str]) -> None:
        super().__init__(daemon=True, name="LightGBM")
        self._collectives = collectives
        self._work = work
        self._ended = threading.Event()
        self._error: BaseException | None = None
        self._model = ""

    def result(self, watch: Guard) -> str:
        """The model; raises what went wrong, here or at another worker."""
        self.start()
        while not self._ended.wait(GLANCE):
            watch.wait(None, 0, 0)
        if self._error is not None:
            raise self._error
        return self._model

    def run(self) -> None:
        """Trains, and frees LightGBM's network."""
        alone = self._collectives.size == 1
        silence()
        try:
            with nullcontext() if alone else Link(self._collectives, self._failed):
                self._model = self._work()
        except lightgbm.basic.LightGBMError:
            self._error = DataError(
                "LightGBM refuses the data or the parameters",
                hint="its words may quote data: try the parameters on public data to see them",
            )
        except BaseException as error:
            self._error = error
        self._ended.set()

    def _failed(self, error: BaseException) -> None:
        self._error = error
        self._ended.set()
