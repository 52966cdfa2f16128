"""What a value is: shape, kind, owner, range and error.

Ranges are integers in units of the word: `fixed24` with hi = 2^25 holds real values up to 2.
They come from declared bounds, never from data, so a program proves that no word overflows.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from moiety.errors import UsageError

WORD_BITS = 64

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Fixed:
    """A word that stands for word / 2^fraction; an integer when `fraction` is 0."""

    fraction: int = 0

    def __str__(self) -> str:
        return f"fixed{self.fraction}" if self.fraction else "int"


@dataclass(frozen=True, slots=True)
class Bit:
    """A bit; shared by exclusive or, while words are shared by addition."""

    def __str__(self) -> str:
        return "bit"


@dataclass(frozen=True, slots=True)
class Public:
    """Every party holds the value."""

    def __str__(self) -> str:
        return "public"


@dataclass(frozen=True, slots=True)
class Private:
    """One party holds the value in the clear; the others hold nothing."""

    party: int

    def __str__(self) -> str:
        return f"private({self.party})"


@dataclass(frozen=True, slots=True)
class Shared:
    """Each party holds a share: words add up mod 2^64, bits xor."""

    def __str__(self) -> str:
        return "shared"


@dataclass(frozen=True, slots=True)
class Masked:
    """One party holds the value in the clear, the others hold it less a mask that it keeps.

    Such a table multiplies any number of shared matrices and is sent, masked, once.
    """

    party: int

    def __str__(self) -> str:
        return f"masked({self.party})"


Kind = Fixed | Bit
Owner = Public | Private | Shared | Masked

INT, BIT = Fixed(), Bit()
PUBLIC, SHARED = Public(), Shared()


@dataclass(frozen=True, slots=True)
class Type:
    """A value's type; every word w, read as signed, satisfies lo ≤ w ≤ hi.

    `error` bounds |w - exact w| in units of the last place. It is 0 unless a probabilistic
    truncation lies upstream, so error > 0 also says: depends on a rounding coin.
    `ring`: shares are meaningful mod 2^ring, which is what messages carry of them.
    """

    shape: Shape
    kind: Kind
    owner: Owner
    lo: int
    hi: int
    error: int = 0
    ring: int = WORD_BITS

    def __post_init__(self) -> None:
        if not 1 <= self.ring <= WORD_BITS or self.lo > self.hi or self.width > self.ring:
            raise UsageError(
                f"a word in [{self.lo}, {self.hi}] does not fit in {self.ring} signed bits",
                hint="declare narrower bounds, use fewer fraction bits, or truncate before this",
            )

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def width(self) -> int:
        """The least number of bits that holds every value: 1 for a bit, else two's complement."""
        return 1 if self.kind == BIT else signed_bits(self.lo, self.hi)

    @property
    def fraction(self) -> int:
        """The fraction bits of a word; a bit has none."""
        return self.kind.fraction if isinstance(self.kind, Fixed) else 0

    @property
    def magnitude(self) -> int:
        """The largest absolute value."""
        return max(-self.lo, self.hi)

    @property
    def span(self) -> str:
        """For messages: shape, and bounds in real units."""
        if self.kind == BIT:
            return f"booleans {self.shape}"
        scale = 2.0**-self.fraction
        return f"values {self.shape} in [{self.lo * scale:g}, {self.hi * scale:g}]"

    def __str__(self) -> str:
        shape = ", ".join(map(str, self.shape))
        bounds = "" if self.kind == BIT else f" in [{self.lo}, {self.hi}]"
        error = f" ±{self.error} ulp" if self.error else ""
        ring = f" mod 2^{self.ring}" if self.ring < WORD_BITS else ""
        return f"{self.kind}[{shape}] {self.owner}{bounds}{error}{ring}"


def words(
    shape: Shape,
    owner: Owner,
    bounds: tuple[int, int],
    fraction: int = 0,
    *,
    ring: int = WORD_BITS,
) -> Type:
    """The type of words with `fraction` fraction bits; `bounds` in units of the word."""
    return Type(shape, Fixed(fraction), owner, *bounds, ring=ring)


def bits(shape: Shape, owner: Owner) -> Type:
    """The type of bits."""
    return Type(shape, BIT, owner, 0, 1)


def signed_bits(lo: int, hi: int) -> int:
    """The least n with -2^(n-1) ≤ lo and hi < 2^(n-1)."""
    return 1 + max((x if x >= 0 else ~x).bit_length() for x in (lo, hi))


def joined(owners: Iterable[Owner]) -> Owner:
    """Who holds the result of operands held so: public, one party alone, or shared."""
    secret = {owner for owner in owners if owner != PUBLIC}
    if not secret:
        return PUBLIC
    if any(isinstance(owner, Masked) for owner in secret):
        raise UsageError("a masked table only multiplies shared matrices")
    return secret.pop() if len(secret) == 1 else SHARED


def broadcast(*shapes: Shape) -> Shape:
    """The common shape by NumPy's rule."""
    rank = max(map(len, shapes))
    columns = zip(*((1,) * (rank - len(shape)) + shape for shape in shapes), strict=True)
    result = []
    for sizes in columns:
        wide = {size for size in sizes if size != 1} or {1}
        if len(wide) > 1:
            raise UsageError(f"shapes {' and '.join(map(str, shapes))} do not broadcast")
        result.append(wide.pop())
    return tuple(result)
