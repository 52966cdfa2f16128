"""The enclave's service: both owners come, are attested to and checked, and one job runs.

Nobody administers it: whoever started the process can end it, and has no verb that reads a key, a
row or the model.
"""

import io
from dataclasses import dataclass

from moiety.agreement.manifest import Job
from moiety.enclave.attester import Attester
from moiety.enclave.capsule import CapsuleHeader, DataKey, open_capsule
from moiety.enclave.handover import hand_over
from moiety.enclave.handshake import (
    EnclaveKeys,
    Proposal,
    present,
    receive_key,
    receive_proposal,
)
from moiety.enclave.inputs import Columns, read_columns
from moiety.enclave.job import train
from moiety.enclave.upload import CapsuleReader
from moiety.errors import MoietyError, PolicyRefused
from moiety.run.steps import Listener, Steps
from moiety.wire.certificates import Credentials
from moiety.wire.channel import Channel
from moiety.wire.tls import Listener as Door
from moiety.wire.tls import Options, listen
from moiety.wire.watch import Watch

FIRST_GUEST = 24 * 3600.0
SECOND_GUEST = 600.0


@dataclass(frozen=True)
class Guest:
    """A data owner that was checked: its channel and its opened columns."""

    channel: Channel
    proposal: Proposal
    columns: Columns


def serve(
    address: str,
    *,
    credentials: Credentials,
    attester: Attester,
    listener: Listener,
    once: bool = False,
) -> None:
    """Serves jobs one after the other at an address; with `once`, one job.

    Raises:
        MoietyError: with `once`, what ended the job; otherwise it is told and the next one awaited.
    """
    steps = Steps(listener)
    with Watch() as watch:
        options = Options(watch=watch, progress=steps.note)
        with listen(address, credentials=credentials, options=options) as door:
            steps.note(f"listening on {door.address}")
            service = Service(door, attester, steps, watch)
            while True:
                try:
                    service.one_job()
                except MoietyError as error:
                    watch.abort(str(error))
                    if once:
                        raise
                    steps.note(f"the job ended: {error}")
                if once:
                    return


@dataclass(frozen=True)
class Service:
    """One enclave instance at its door."""

    door: Door
    attester: Attester
    steps: Steps
    watch: Watch

    def one_job(self) -> None:
        """One job from the first guest to the hand-over; its keys live no longer."""
        keys = EnclaveKeys.create()
        guests = self._receive_all(keys)
        job = next(iter(guests.values())).proposal.job
        with self.steps.step("training", f"training the {job.model.kind}") as step:
            self.watch.enter("training")
            trained = train(job, {name: guest.columns for name, guest in guests.items()})
            step.result = f"trained the model ({job.model.kind}) on {trained.rows:,} common clients"
        with self.steps.step("hand-over", "sharing the model") as step:
            self.watch.enter("the hand-over")
            channels = {name: guest.channel for name, guest in guests.items()}
            dealt = hand_over(
                job,
                trained,
                signing=keys.signing,
                production=self.attester.production,
                measurement=self.attester.measurement,
                channels=channels,
            )
            self.watch.finish()
            step.result = f"one share each, randomness for {dealt:,} predictions, then forgot all"

    def _receive_all(self, keys: EnclaveKeys) -> dict[str, Guest]:
        guests: dict[str, Guest] = {}
        job: Job | None = None
        while job is None or len(guests) < len(job.members):
            guest = self._receive(keys, job, patience=SECOND_GUEST if guests else FIRST_GUEST)
            job = guest.proposal.job
            if guest.proposal.party in guests:
                raise PolicyRefused(f"{guest.proposal.party} came twice")
            guests[guest.proposal.party] = guest
        return {name: guests[name] for name in job.names}

    def _receive(self, keys: EnclaveKeys, job: Job | None, *, patience: float) -> Guest:
        channel = self.door.accept_until_attested("a party", patience)
        channel.step = "attestation"
        proposal = receive_proposal(channel)
        if job is not None and proposal.job.hash != job.hash:
            raise PolicyRefused(f"{proposal.party} brings another job than the first party")
        with self.steps.step("attestation", f"attesting to {proposal.party}") as step:
            claim = present(channel, proposal, self.attester, keys)
            key, header = receive_key(channel, proposal, claim, keys)
            step.result = f"attested to {proposal.party}, which released its key"
        with self.steps.step("capsule", f"receiving {proposal.party}'s capsule") as step:
            channel.step = "the sealed data's transfer"
            columns = self._open(channel, proposal, key, header)
            step.result = f"opened {proposal.party}'s capsule"
        return Guest(channel, proposal, columns)

    def _open(
        self, channel: Channel, proposal: Proposal, key: DataKey, header: CapsuleHeader
    ) -> Columns:
        whole = io.BytesIO()
        with key:
            for piece in open_capsule(CapsuleReader(channel), key, header):
                whole.write(piece)
        member = proposal.job.member(proposal.party)
        return read_columns(proposal.job, member, whole.getvalue())
