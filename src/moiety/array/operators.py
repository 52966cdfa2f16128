"""Operators of an array: each is short for the function of that name."""

from collections.abc import Callable, Iterator
from typing import Any, Self

FUNCTIONS: dict[str, Callable[..., Any]] = {}
"""The functions of the language by name; each is added where it is declared."""


class Operators:
    """What makes `x + y` the same as `add(x, y)`."""

    __array_ufunc__ = None
    shape: tuple[int, ...]

    def __add__(self, other: Any) -> Self:
        return self._call("add", self, other)

    def __radd__(self, other: Any) -> Self:
        return self._call("add", other, self)

    def __sub__(self, other: Any) -> Self:
        return self._call("subtract", self, other)

    def __rsub__(self, other: Any) -> Self:
        return self._call("subtract", other, self)

    def __mul__(self, other: Any) -> Self:
        return self._call("multiply", self, other)

    def __rmul__(self, other: Any) -> Self:
        return self._call("multiply", other, self)

    def __truediv__(self, other: Any) -> Self:
        return self._call("divide", self, other)

    def __rtruediv__(self, other: Any) -> Self:
        return self._call("divide", other, self)

    def __matmul__(self, other: Any) -> Self:
        return self._call("matmul", self, other)

    def __rmatmul__(self, other: Any) -> Self:
        return self._call("matmul", other, self)

    def __and__(self, other: Any) -> Self:
        return self._call("logical_and", self, other)

    def __rand__(self, other: Any) -> Self:
        return self._call("logical_and", other, self)

    def __or__(self, other: Any) -> Self:
        return self._call("logical_or", self, other)

    def __ror__(self, other: Any) -> Self:
        return self._call("logical_or", other, self)

    def __xor__(self, other: Any) -> Self:
        return self._call("logical_xor", self, other)

    def __rxor__(self, other: Any) -> Self:
        return self._call("logical_xor", other, self)

    def __lt__(self, other: Any) -> Self:
        return self._call("less", self, other)

    def __gt__(self, other: Any) -> Self:
        return self._call("greater", self, other)

    def __le__(self, other: Any) -> Self:
        return self._call("less_equal", self, other)

    def __ge__(self, other: Any) -> Self:
        return self._call("greater_equal", self, other)

    def __eq__(self, other: Any) -> Self:  # type: ignore[override]
        return self._call("equal", self, other)

    def __ne__(self, other: Any) -> Self:  # type: ignore[override]
        return self._call("not_equal", self, other)

    __hash__ = None  # type: ignore[assignment]

    def __pow__(self, exponent: int) -> Self:
        return self._call("pow", self, exponent)

    def __neg__(self) -> Self:
        return self._call("negative", self)

    def __pos__(self) -> Self:
        return self

    def __invert__(self) -> Self:
        return self._call("logical_not", self)

    def __abs__(self) -> Self:
        return self._call("abs", self)

    def __getitem__(self, key: Any) -> Self:
        return self._call("getitem", self, key)

    def __iter__(self) -> Iterator[Self]:
        return (self[position] for position in range(self.shape[0]))

    @property
    def T(self) -> Self:
        """The axes of a matrix exchanged."""
        return self._call("matrix_transpose", self)

    mT = T

    def _call(self, name: str, *operands: Any) -> Self:
        result: Self = FUNCTIONS[name](*operands)
        return result
