"""Whom we talk to and at which step, for the sentences of errors."""

from dataclasses import dataclass

from moiety.errors import PeerLost, PeerMisbehaved


@dataclass(slots=True)
class Peer:
    """The other end of one connection; `step` completes "closed the connection during …"."""

    name: str
    step: str = "the job"

    def misbehaved(self, what: str) -> PeerMisbehaved:
        """The error for a peer that sent what the protocol does not allow."""
        return PeerMisbehaved(
            f"{self.name} {what} during {self.step}",
            hint="both sides must run the same version of moiety; if they do, the peer is faulty",
        )

    def lost(self, what: str) -> PeerLost:
        """The error for a peer that is gone or does not answer."""
        return PeerLost(
            f"{self.name} {what} during {self.step}",
            hint=f"{self.name}'s own error tells more; then start the job again",
        )

    def stopped(self, reason: str) -> PeerLost:
        """The error for a peer that stopped and said why."""
        return PeerLost(
            f"{self.name} stopped: {reason}", hint="mend that, then start the job again"
        )
