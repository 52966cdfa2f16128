"""Names of ways and expansions that a plan must take where it can."""

from collections.abc import Collection

from moiety.errors import UsageError
from moiety.lang.primitive import REGISTRY
from moiety.ops.expansions import families
from moiety.ops.functions import FUNCTIONS


def check_forced(force: Collection[str], profile: str) -> None:
    """Refuses a name that no way and no expansion has, not even as a part of its own."""
    known = names(profile)
    for one in force:
        if not one or not any(one.lower() in name.lower() for name in known):
            raise UsageError(
                f"there is no way and no expansion called {one!r}",
                hint="moiety explain names them: DPF prefix parity, or 8 sines; a part will do",
            )


def names(profile: str) -> list[str]:
    """Every way that sends something under a profile, and every expansion."""
    ways = (
        way.name
        for primitive in REGISTRY.values()
        for way in primitive.ways
        if way.profile == profile and not way.local
    )
    expansions = (one.name for name in FUNCTIONS for group in families(name) for one in group)
    return list(dict.fromkeys((*ways, *expansions)))
