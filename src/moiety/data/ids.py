"""Ids as all parties write them alike: the rule that makes alignment find the same client."""

import unicodedata
from collections.abc import Callable

from moiety.errors import DataError


def _default(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text).casefold()
    kept = "".join(character for character in folded if not _is_filler(character))
    return unicodedata.normalize("NFKC", kept)


def _is_filler(character: str) -> bool:
    """Spaces, control and invisible format characters, dashes of any kind."""
    category = unicodedata.category(character)
    return category in ("Zs", "Zl", "Zp", "Cc", "Cf", "Pd") or character == "\N{MINUS SIGN}"


RULES: dict[str, Callable[[str], str]] = {"default": _default, "exact": str}


def normalise_id(text: str, rule: str = "default") -> str:
    """The id without what only its spelling adds; applying the rule twice changes nothing more.

    `default`: Unicode compatibility form (NFKC: full-width digits become digits), case folded,
    spaces, dashes and invisible characters removed; leading zeros and other punctuation stay.
    `exact`: the text as it is. All parties of a job use the same rule.

    Raises:
        DataError: there is no such rule.
    """
    if rule not in RULES:
        raise DataError(f"no id rule '{rule}'", hint=f"known rules: {', '.join(RULES)}")
    return RULES[rule](text)
