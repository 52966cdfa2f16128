"""Functions that are approximated where an argument provably lies, each within a stated error.

How is left to the plan: a traced program holds one step for each, see `ops.approximate`.
"""

from collections.abc import Callable

from moiety.array.dispatch import function
from moiety.array.number import Array, Number, numbers, raised, rescaled, tracing
from moiety.errors import InternalError
from moiety.ops import expansions, reals


def _declared(name: str) -> Callable[..., Array]:
    def traced(x: Array) -> Array:
        builder, (a,) = tracing(x), numbers(x)
        if builder is None:
            raise InternalError("an array without a program")
        argument = raised(a, 1 if name == "tanh" else 0).value
        return Array(expansions.approximation(argument, name, builder.fraction, builder.error))

    traced.__name__ = name
    traced.__doc__ = f"The function {name} of each element, within the error that its step states."
    return function(reals.FUNCTIONS[name])(traced)


def quotient(x: Number, y: Array) -> Array:
    """The quotient by a secret whose bounds exclude 0."""
    builder, (a, b) = tracing(y), numbers(x, y)
    if builder is None:
        raise InternalError("an array without a program")
    found = expansions.quotient(a.value, b.value, builder.fraction, builder.error)
    return rescaled(Array(found))


exp = _declared("exp")
log = _declared("log")
sqrt = _declared("sqrt")
rsqrt = _declared("rsqrt")
reciprocal = _declared("reciprocal")
tanh = _declared("tanh")
sigmoid = _declared("sigmoid")
erf = _declared("erf")
