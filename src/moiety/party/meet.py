"""Two parties meet: the first of the job listens, the second calls; strangers are turned away."""

import time

from moiety.agreement.manifest import Job, Member, pin
from moiety.errors import ConfigError, PeerError, PolicyRefused
from moiety.party.config import Party
from moiety.wire.certificates import check_dates
from moiety.wire.channel import Channel
from moiety.wire.tls import Options, connect, listen


def check_ready(party: Party) -> None:
    """Returns if this party could be let in anywhere: better told at once than by a peer.

    Raises:
        PolicyRefused: its own certificate is not valid now.
        ConfigError: `party.toml` names no enclave.
    """
    check_dates(party.credentials.certificate, f"{party.name} (this party)")
    if not party.enclave_address:
        raise ConfigError(
            f"{party.home / 'party.toml'} names no enclave", hint='write enclave = "host:port"'
        )


def meet_peer(party: Party, job: Job, options: Options) -> Channel:
    """A channel to the other party of the job, whose certificate is the one in the job.

    Raises:
        PeerLost: it did not come within the party's patience.
        PolicyRefused: somebody came, but with another certificate than the job's.
    """
    peer = next(member for member in job.members if member.name != party.name)
    if job.index(party.name) == 0:
        return _await(party, peer, options)
    return connect(
        party.peers[peer.name].address,
        peer.name,
        credentials=party.credentials,
        pinned=pin(peer.certificate),
        deadline=party.patience,
        options=options,
    )


def _await(party: Party, peer: Member, options: Options) -> Channel:
    """The first caller that is the peer; who else calls is told why not, and forgotten."""
    left: float = party.patience
    until, refused = time.monotonic() + left, None
    with listen(party.listen, credentials=party.credentials, options=options) as door:
        while True:
            try:
                return door.accept({peer.name: pin(peer.certificate)}, left)
            except (PolicyRefused, PeerError) as error:
                refused = error if isinstance(error, PolicyRefused) else refused
                left = until - time.monotonic()
                if left <= 0:
                    raise refused or error from None
                options.progress(f"turned away: {error}")
