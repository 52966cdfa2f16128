"""Numbers and names as people read them; what is unknown is a dash."""

import math
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime

DASH = "–"
_MINUS = "\u2212"
_SPACE = "\u202f"
_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def count(value: int | None) -> str:
    """4800 → 4,800."""
    return DASH if value is None else f"{value:,}".replace("-", _MINUS)


def decimal(value: float | None, digits: int = 3) -> str:
    """0.41666 → 0.417."""
    if value is None or not math.isfinite(value):
        return DASH
    return f"{value:,.{digits}f}".replace("-", _MINUS)


def figure(value: float | None) -> str:
    """Of any size, to four digits: 51283.4 → 51,280; 0.00123 → 0.00123."""
    if value is None or not math.isfinite(value):
        return DASH
    exponent = math.floor(math.log10(abs(value))) if value else 0
    return decimal(round(value, 3 - exponent), min(max(3 - exponent, 0), 12))


def signed(value: float | None, digits: int = 3) -> str:
    """0.2266 → +0.227."""
    if value is None or not math.isfinite(value):
        return DASH
    return f"{value:+,.{digits}f}".replace("-", _MINUS)


def percent(value: float | None, digits: int = 1) -> str:
    """0.2212 → 22.1 %."""
    if value is None or not math.isfinite(value):
        return DASH
    return f"{decimal(value * 100, digits)}{_SPACE}%"


def uplift(value: float | None) -> str:
    """1.1933 → +119 %; small ones keep a decimal."""
    if value is None or not math.isfinite(value):
        return DASH
    return f"{signed(value * 100, 0 if abs(value) >= 0.1 else 1)}{_SPACE}%"


def power(value: float | None) -> str:
    """3.14e-07 → 3.1 × 10⁻⁷; from a thousandth on in decimals."""
    if value is None or not math.isfinite(value):
        return DASH
    if value == 0 or abs(value) >= 1e-3:
        return decimal(value, 4) if value else "0"
    mantissa, exponent = f"{value:.1e}".replace("-", _MINUS, value < 0).split("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPT)}"


def seconds(value: float | None) -> str:
    """0.0042 → 4.2 ms; 83 → 1 min 23 s."""
    if value is None or not math.isfinite(value):
        return DASH
    if 0 < value < 0.0009995:
        return f"{value * 1e6:.{0 if value > 0.9995e-5 else 1}f}{_SPACE}µs"
    if value < 0.9995:
        return f"{value * 1e3:.{1 if value < 0.09995 else 0}f}{_SPACE}ms"
    if value < 59.95:
        return f"{value:.{2 if value < 9.995 else 1}f}{_SPACE}s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes:,}{_SPACE}min {rest:02d}{_SPACE}s"


def size(value: int) -> str:
    """1240512 → 1.24 MB, in powers of 1000."""
    amount, unit = float(value), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 999.5 or unit == "TB":
            break
        amount /= 1000
    digits = 0 if unit == "B" or amount >= 99.95 else 1 if amount >= 9.995 else 2
    return f"{amount:,.{digits}f}{_SPACE}{unit}"


def moment(value: datetime) -> str:
    """A time in UTC, to the second."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def strength(iv: float | None) -> str:
    """The customary word for an information value (Siddiqi 2006)."""
    if iv is None or not math.isfinite(iv):
        return DASH
    words = ((0.02, "unpredictive"), (0.1, "weak"), (0.3, "medium"), (0.5, "strong"))
    return next((word for bound, word in words if iv < bound), "suspiciously strong")


def listing(names: Iterable[str]) -> str:
    """a, b and c."""
    *first, last = [*names] or [DASH]
    return f"{', '.join(first)} and {last}" if first else last


def plain(text: str) -> str:
    """The text without control and direction characters, which could disguise what is shown."""
    return "".join(map(_plain, text))


def _plain(letter: str) -> str:
    if letter in "\t\n\r":
        return " "
    return "\ufffd" if unicodedata.category(letter) in ("Cc", "Cf", "Co", "Cs") else letter
