"""Every error that moiety raises, with its exit code.

    MoietyError
    ├── UsageError            2   the user's mistake: a file, a column, a value, a command
    │   ├── ConfigError           party.toml or job.toml
    │   └── DataError             a table does not hold what its schema declares
    ├── PolicyRefused         3   a party's policy, or a signature, forbids it
    ├── PeerError             4   the other side
    │   ├── PeerLost              closed, silent, or stopped with a reason
    │   └── PeerMisbehaved        sent what the protocol does not allow
    ├── AttestationFailed     5   evidence that is not authentic or not acceptable
    ├── AccuracyError         6   a secure result differs from its plaintext meaning
    ├── MaterialError         7   correlations exhausted, spent twice, or out of step
    └── InternalError        70   our bug

An error says what failed, where, with which values (never a secret), and a hint. Peers are told
fixed words for its class instead, so that no path, name or number of one party reaches another.
"""


class MoietyError(Exception):
    """What failed in one sentence, with a hint that says what to do about it."""

    exit_code = 70
    public = "a fault in moiety"
    """What peers are told: see `told`."""

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(what)
        self.hint = hint


class UsageError(MoietyError):
    """The user's mistake: a file, a column, a value, a command."""

    exit_code = 2
    public = "a mistake in how it was called or set up"


class ConfigError(UsageError):
    """A `party.toml` or `job.toml` that cannot be read as meant."""


class DataError(UsageError):
    """A table that does not hold what its schema declares."""

    public = "data are not as declared"


class PolicyRefused(MoietyError):
    """A party's policy, or a missing or wrong signature, forbids the job."""

    exit_code = 3
    public = "a policy or a signature forbids it"


class PeerError(MoietyError):
    """The other side is at fault, or gone."""

    exit_code = 4


class PeerLost(PeerError):
    """A peer closed its connection, fell silent, or stopped with a reason."""


class PeerMisbehaved(PeerError):
    """A peer sent what the protocol does not allow."""


class AttestationFailed(MoietyError):
    """Evidence that is not authentic, not fresh, or not acceptable to the policy."""

    exit_code = 5
    public = "the evidence of the enclave is refused"


class AccuracyError(MoietyError):
    """A secure result differs from its plaintext meaning by more than the stated bound."""

    exit_code = 6
    public = "a result is not as exact as stated"


class MaterialError(MoietyError):
    """Correlated randomness is exhausted, was spent before, or is out of step with the peer's."""

    exit_code = 7
    public = "correlated randomness is used up or out of step"


class InternalError(MoietyError):
    """A fault in moiety itself; please report it."""

    exit_code = 70


def told(error: BaseException) -> str:
    """What peers are told when this error ends a job: fixed words, or the sentence about a peer."""
    if isinstance(error, PeerError):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "it was interrupted"
    return error.public if isinstance(error, MoietyError) else MoietyError.public
