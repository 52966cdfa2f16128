"""The same name for arrays of a program and for plain arrays: there, NumPy's function."""

import functools
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from moiety.array.number import Array
from moiety.array.operators import FUNCTIONS
from moiety.errors import UsageError
from moiety.lang.source import line, placed


def function(
    plain: Callable[..., Any] | None = None,
) -> Callable[[Callable[..., Array]], Callable[..., Array]]:
    """Declares a function of the language; `plain` is its meaning where it is not NumPy's."""

    def declare(traced: Callable[..., Array]) -> Callable[..., Array]:
        meaning: Callable[..., Any] = plain or getattr(np, traced.__name__)

        @functools.wraps(traced)
        def called(*operands: Any, **parameters: Any) -> Array:
            if not _any_array(operands):
                plainly: Array = meaning(*operands, **parameters)
                return plainly
            try:
                return traced(*operands, **parameters)
            except UsageError as error:
                raise placed(error, line()) from None

        FUNCTIONS[traced.__name__] = called
        return called

    return declare


def _any_array(operands: Iterable[Any]) -> bool:
    return any(
        isinstance(operand, Array) or (isinstance(operand, list | tuple) and _any_array(operand))
        for operand in operands
    )
