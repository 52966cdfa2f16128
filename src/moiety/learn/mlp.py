"""A multi-layer perceptron among parties, by stochastic gradients that the language derives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import numpy as np
from sklearn.utils import check_random_state

import moiety.array as xp
from moiety.array import Array
from moiety.errors import UsageError
from moiety.function.function import Function
from moiety.function.runner import Runner, Secret
from moiety.function.signature import To
from moiety.learn.base import Classifier, bring_columns, told
from moiety.learn.numbers_program import INNER_BITS, OUTER_BITS, UNIT_BITS, UNIT_BOUND
from moiety.learn.partition import Plain, shuffled
from moiety.learn.program import Layout, Values, batches, begun, held, kept, secured
from moiety.learn.shared_model import Owners, SharedModel, by_owner, of_numbers
from moiety.ops.convert import truncate

ACTIVATIONS = {
    "relu": lambda z: xp.maximum(z, 0),
    "tanh": xp.tanh,
    "logistic": xp.sigmoid,
}
FASTEST = 16.0
"""The largest part of a gradient that momentum carries on."""


@dataclass(frozen=True)
class Network:
    """The public shape of a perceptron: columns, hidden units by layer, and their activation."""

    sizes: tuple[int, ...]
    activation: str

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of all weights and constants by name."""
        found: dict[str, tuple[int, ...]] = {}
        for at, (inner, outer) in enumerate(zip(self.sizes, (*self.sizes[1:], 1), strict=True)):
            found |= {f"w{at}": (inner, outer), f"b{at}": (outer,)}
        return found

    def logit(self, x: Array, weights: Sequence[Array]) -> Array:
        """The last layer's value of each row; weights as `shapes` lists them."""
        layers = list(zip(weights[::2], weights[1::2], strict=True))
        for w, b in layers[:-1]:
            x = ACTIVATIONS[self.activation](x @ w + b)
        w, b = layers[-1]
        return xp.reshape(x @ w + b, (x.shape[0],))

    def started(self, seed: int) -> dict[str, Plain]:
        """Weights to begin with, uniform as Glorot and Bengio (2010, §4.2.1) have it; public."""
        drawn = check_random_state(seed)
        return {
            name: drawn.uniform(-1, 1, shape) * (6.0 / sum(shape)) ** 0.5
            if name.startswith("w")
            else np.zeros(shape)
            for name, shape in self.shapes.items()
        }


@dataclass(frozen=True)
class Pace:
    """How fast gradients are followed, the penalty's weight, and the largest weight."""

    rate: float
    momentum: float
    alpha: float
    bound: float


class MLPClassifier(Classifier):
    """One or more hidden layers and a sigmoid, trained on cross-entropy with an L2 penalty.

    `max_iter` passes over batches of `batch_size` rows, with momentum. Columns are cut to
    [-clip, clip] at their owners: standardise them; weights to ±bound. With wider bounds or more
    layers values may no longer fit in a word: then it is refused. `random_state` is public.
    """

    def __init__(
        self,
        runner: Runner | None = None,
        *,
        hidden_layer_sizes: Sequence[int] = (16,),
        activation: str = "relu",
        alpha: float = 1e-4,
        batch_size: int = 500,
        learning_rate_init: float = 0.1,
        momentum: float = 0.9,
        max_iter: int = 10,
        clip: float = 4.0,
        bound: float = 4.0,
        random_state: int = 0,
        receiver: str | None = None,
    ) -> None:
        self.runner = runner
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.momentum = momentum
        self.max_iter = max_iter
        self.clip = clip
        self.bound = bound
        self.random_state = random_state
        self.receiver = receiver

    def fit(self, X: Any, y: Any) -> Self:
        """The estimator with `coefs_` and `intercepts_` as shares; nothing is revealed."""
        if self.activation not in ACTIVATIONS:
            known = ", ".join(ACTIVATIONS)
            raise UsageError(f"the activation {self.activation!r}", hint=f"one of {known}")
        run, table = self._runner, self._table(X, fitting=True)
        x = bring_columns(run, shuffled(table, self.random_state), self.clip)
        y = self._labels(table, y, seed=self.random_state)
        network = self._network()
        pace = Pace(self.learning_rate_init, self.momentum, self.alpha, self.bound)
        found = run.repeat(
            descent(run.parties, x.layout, y.layout, network, pace),
            state=self._begin(network),
            given={**x.given, **y.given},
            spans=batches(x, y, self.batch_size, self.max_iter),
            batched=(*x.layout.names, *y.layout.names),
        ).state
        self.weights_ = {name: found[name] for name in network.shapes}
        self.owners_ = Owners.of_numbers(table)
        return self

    def model(self, owner: str | None = None) -> SharedModel:
        """The shares that `numbers_program.perceptron` takes; trained on rows, for rows of `owner`.

        One more call, which reveals nothing, cuts off fraction bits.

        Raises:
            UsageError: it has not one layer of rectified units, or larger weights.
        """
        units = tuple(self.hidden_layer_sizes)
        if len(units) != 1 or self.activation != "relu" or self.bound > UNIT_BOUND:
            raise UsageError(
                f"{len(units)} layers of {self.activation} with weights of up to {self.bound:g}",
                hint=f"a score takes one layer of relu, and weights of up to {UNIT_BOUND:g}",
            )
        run = self._runner
        places, own = self.owners_.placed(run.parties, owner)
        found = run.call(shortened(self._network(), self.bound), **self.weights_)
        arrays = {
            **by_owner("inner", found["w0"], places, own),
            "inner_constant": found["b0"].reshape((1, *units)).raised(INNER_BITS),
            "outer": found["w1"],
            "outer_constant": found["b1"].reshape((1, 1)).raised(OUTER_BITS),
        }
        shape = of_numbers("perceptron", places, own, self.clip, hidden=units[0])
        return SharedModel(shape, arrays)

    @property
    def coefs_(self) -> list[Secret]:
        """The weights of each layer."""
        return [one for name, one in self.weights_.items() if name.startswith("w")]

    @property
    def intercepts_(self) -> list[Secret]:
        """The constants of each layer."""
        return [one for name, one in self.weights_.items() if name.startswith("b")]

    def _network(self) -> Network:
        return Network((self.n_features_in_, *self.hidden_layer_sizes), self.activation)

    def _begin(self, network: Network) -> dict[str, Secret]:
        run, first = self._runner, network.started(self.random_state)
        state = {name: begun(run, values, self.bound) for name, values in first.items()}
        if self.momentum:
            still = {f"v_{name}": np.zeros(values.shape) for name, values in first.items()}
            state |= {name: begun(run, values, FASTEST) for name, values in still.items()}
        return state

    def _told(self, what: str, X: Any) -> Plain | None:
        run = self._runner
        x = bring_columns(run, self._table(X), self.clip)
        function = forward(run.parties, x.layout, self._network(), self.bound, what, self._receiver)
        found: Plain | None = run.call(function, **x.given, **self.weights_)["told"]
        return found


@cache
def descent(
    parties: tuple[str, ...], x: Layout, y: Layout, network: Network, pace: Pace
) -> Function:
    """A step against the gradient on one batch."""
    names = list(network.shapes)

    def step(**values: Array) -> dict[str, Array]:
        weights = [values[name] for name in names]
        logit, back = xp.vjp(lambda *w: network.logit(x.joined(values), w), *weights)
        # the gradient of cross-entropy by the logit, of the sum: the mean is taken in the end
        slopes = back(xp.sigmoid(logit) - y.joined(values))
        moved: dict[str, Array] = {}
        for name, slope in zip(names, slopes, strict=True):
            moved |= _moved(values, name, slope * (1.0 / logit.size), pace)
        return moved

    state = _state(network, pace)
    return secured(parties, step, {**x.arguments, **y.arguments, **state}, kept(*state))


def _state(network: Network, pace: Pace) -> Mapping[str, Any]:
    weights = held(**dict.fromkeys(network.shapes, pace.bound))
    fast = held(**{f"v_{name}": FASTEST for name in network.shapes})
    return {**weights, **fast} if pace.momentum else weights


def _moved(values: Values, name: str, slope: Array, pace: Pace) -> dict[str, Array]:
    """A weight after a step, and its velocity."""
    w, velocity = values[name], slope
    if name.startswith("w"):
        velocity = velocity + pace.alpha * w
    if not pace.momentum:
        return {name: xp.clip(w - pace.rate * velocity, -pace.bound, pace.bound)}
    fast = xp.clip(pace.momentum * values[f"v_{name}"] + velocity, -FASTEST, FASTEST)
    return {name: xp.clip(w - pace.rate * fast, -pace.bound, pace.bound), f"v_{name}": fast}


@cache
def shortened(network: Network, bound: float) -> Function:
    """The weights with UNIT_BITS fraction bits."""

    def shorten(**values: Array) -> dict[str, Array]:
        return {
            name: Array(truncate(w.value, shift=w.type.fraction - UNIT_BITS))
            for name, w in values.items()
        }

    names = network.shapes
    return secured((), shorten, held(**dict.fromkeys(names, bound)), kept(*names))


@cache
def forward(
    parties: tuple[str, ...], x: Layout, network: Network, bound: float, what: str, receiver: str
) -> Function:
    """What the receiver learns of a network's rows."""

    def predict(**values: Array) -> dict[str, Array]:
        weights = [values[name] for name in network.shapes]
        return {"told": told(network.logit(x.joined(values), weights), what)}

    arguments = {**x.arguments, **held(**dict.fromkeys(network.shapes, bound))}
    return secured(parties, predict, arguments, {"told": To(receiver, coins=True)})
