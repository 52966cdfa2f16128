"""Parties meet: each listens for those after it in the job and calls those before it.

Strangers are turned away.
"""

import time

from moiety.agreement.manifest import Job, Member, pin
from moiety.errors import ConfigError, PeerError, PolicyRefused
from moiety.party.config import Party
from moiety.wire.certificates import check_dates
from moiety.wire.channel import Channel
from moiety.wire.tls import Options, connect, listen


def check_ready(party: Party, job: Job) -> None:
    """Returns if this party could be let in anywhere: better told at once than by a peer.

    Raises:
        PolicyRefused: its own certificate is not valid now.
        ConfigError: `party.toml` names no enclave, and the job has one, or a dealer.
    """
    check_dates(party.credentials.certificate, f"{party.name} (this party)")
    if job.helped and not party.enclave_address:
        raise ConfigError(
            f"{party.home / 'party.toml'} names no enclave", hint='write enclave = "host:port"'
        )


def meet_peers(party: Party, job: Job, options: Options) -> dict[str, Channel]:
    """A channel to each other party of the job, whose certificate is the one in the job.

    Raises:
        PeerLost: one did not come within the party's patience.
        PolicyRefused: somebody came, but with another certificate than the job's.
    """
    own = job.index(party.name)
    called = {peer.name: _call(party, peer, options) for peer in job.members[:own]}
    awaited = {peer.name: pin(peer.certificate) for peer in job.members[own + 1 :]}
    found = called | _await(party, awaited, options)
    return {name: found[name] for name in job.names if name != party.name}


def _call(party: Party, peer: Member, options: Options) -> Channel:
    return connect(
        party.peers[peer.name].address,
        peer.name,
        credentials=party.credentials,
        pinned=pin(peer.certificate),
        deadline=party.patience,
        options=options,
    )


def _await(party: Party, awaited: dict[str, bytes], options: Options) -> dict[str, Channel]:
    """The callers that are awaited; who else calls is told why not, and forgotten."""
    if not awaited:
        return {}
    met: dict[str, Channel] = {}
    left: float = party.patience
    until, refused = time.monotonic() + left, None
    with listen(party.listen, credentials=party.credentials, options=options) as door:
        while len(met) < len(awaited):
            missing = {name: pinned for name, pinned in awaited.items() if name not in met}
            try:
                channel = door.accept(missing, left)
                met[channel.peer] = channel
            except (PolicyRefused, PeerError) as error:
                refused = error if isinstance(error, PolicyRefused) else refused
                options.progress(f"turned away: {error}")
                if time.monotonic() >= until:
                    raise refused or error from None
            left = until - time.monotonic()
    return met
