"""Functions that are approximated where an argument provably lies, each with a stated error."""

from collections.abc import Callable

from moiety import ops
from moiety.array.dispatch import function
from moiety.array.number import Array, Number, numbers, raised, rescaled, tracing
from moiety.errors import UsageError
from moiety.lang.primitive import REGISTRY
from moiety.lang.trace import Value
from moiety.lang.types import WORD_BITS
from moiety.ops import reals


def _approximation(name: str) -> Callable[..., Value]:
    """The approximation of this name: a function of values in a family of operators."""
    found = (getattr(family, name, None) for family in ops.FAMILIES)
    way = next((one for one in found if one is not None), None)
    if way is None:
        raise UsageError(f"there is no approximation of {name}")
    chosen: Callable[..., Value] = way
    return chosen


def _declared(name: str) -> Callable[..., Array]:
    def traced(x: Array) -> Array:
        builder, (a,) = tracing(x), numbers(x)
        fraction = builder.fraction if builder else 0
        return wide(_approximation(name)(raised(a, fraction).value), fraction)

    traced.__name__ = name
    traced.__doc__ = f"The function {name} of each element, within the error that its step states."
    return function(reals.FUNCTIONS[name])(traced)


def quotient(x: Number, y: Array) -> Array:
    """The quotient by a secret whose bounds exclude 0."""
    builder, (a, b) = tracing(y), numbers(x, y)
    fraction = builder.fraction if builder else 0
    operands = (raised(one, fraction).value for one in (a, b))
    return wide(_approximation("divide")(*operands), fraction)


def wide(value: Value, fraction: int) -> Array:
    """The value with shares mod 2^64 and the program's fraction bits."""
    if value.type.ring == WORD_BITS:
        return rescaled(Array(value))
    excess = max(value.type.fraction - fraction, 0)
    return Array(REGISTRY["widen"](value, shift=excess))


exp = _declared("exp")
log = _declared("log")
sqrt = _declared("sqrt")
rsqrt = _declared("rsqrt")
reciprocal = _declared("reciprocal")
tanh = _declared("tanh")
sigmoid = _declared("sigmoid")
