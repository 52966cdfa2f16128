"""The enclave's service: all owners come, are attested to and checked, and one job runs.

Nobody administers it: whoever started the process can end it, and has no verb that reads a key, a
row or the model. A job that its parties train on shares is only dealt for: no row comes here. A
dealer that is no enclave serves such jobs alone, and attests to nothing: it is pinned by the job.
"""

import io
import time
from dataclasses import dataclass

from moiety.agreement.manifest import Job, pin
from moiety.enclave.attester import Attester
from moiety.enclave.capsule import CapsuleHeader, DataKey, open_capsule
from moiety.enclave.guard import USUAL, Guard, Patience
from moiety.enclave.handover import deal_again, hand_over
from moiety.enclave.handshake import (
    EnclaveKeys,
    Proposal,
    present,
    receive_key,
    receive_proposal,
)
from moiety.enclave.inputs import Columns, read_columns
from moiety.enclave.job import fit, train
from moiety.enclave.scoring import score_inside
from moiety.enclave.upload import CapsuleReader, largest_capsule
from moiety.errors import MoietyError, PolicyRefused, told
from moiety.run.steps import Listener, Steps
from moiety.run.supply import Service as Dealing
from moiety.wire.certificates import Credentials, fingerprint
from moiety.wire.channel import Channel
from moiety.wire.frame import Kind
from moiety.wire.tls import Listener as Door
from moiety.wire.tls import Options, listen

WARNING = "SIMULATED enclave: right formats, right order, no protection from whoever runs its host"


@dataclass(frozen=True)
class Guest:
    """A data owner that was checked: its channel and its opened columns.

    Without columns it has a share of the job's model, and wants material only.
    """

    channel: Channel
    proposal: Proposal
    columns: Columns | None


def serve(  # noqa: PLR0913 - all that its operator decides
    address: str,
    *,
    credentials: Credentials,
    attester: Attester | None,
    listener: Listener,
    once: bool = False,
    patience: Patience = USUAL,
    admitted: frozenset[bytes] = frozenset(),
) -> None:
    """Serves jobs one after the other at an address; with `once`, one job.

    Only jobs with an `admitted` hash, or any job if there is none.

    A caller who brings no good job is told why and forgotten. What ends a job ends only that job.

    Raises:
        MoietyError: with `once`, what ended the job; otherwise it is told and the next one awaited.
    """
    steps = Steps(listener)
    with Guard() as watch:
        options = Options(watch=watch, progress=steps.note)
        with listen(address, credentials=credentials, options=options) as door:
            steps.note(f"listening on {door.address}")
            if attester is not None and not attester.production:
                steps.note(WARNING)
            own = fingerprint(credentials.certificate)
            service = Service(door, own, attester, steps, watch, patience, admitted)
            while True:
                steps.current = "start"
                try:
                    service.one_job()
                except BaseException as error:
                    watch.abort(told(error))
                    if once or not isinstance(error, Exception):
                        raise
                    steps.note(f"the job ended: {_words(error)}")
                if once:
                    return


@dataclass(frozen=True)
class Service:
    """One enclave instance, or one dealer, at its door."""

    door: Door
    own: bytes
    """The fingerprint of its certificate."""
    attester: Attester | None
    steps: Steps
    watch: Guard
    patience: Patience
    admitted: frozenset[bytes] = frozenset()

    def one_job(self) -> None:
        """One job from the first guest to the hand-over. Freed memory is not overwritten."""
        keys = EnclaveKeys.create()
        guests = self._receive_all(keys)
        job = next(iter(guests.values())).proposal.job
        channels = {name: guest.channel for name, guest in guests.items()}
        columns = {name: guest.columns for name, guest in guests.items() if guest.columns}
        if job.model.by_mpc:
            self._deal(job, channels)
            return
        if not columns:
            self._deal_again(job, channels)
            return
        if len(columns) < len(guests):
            raise PolicyRefused("one party brings data, the other has a model already")
        if self.attester is None:
            raise PolicyRefused("a dealer trains no model")
        if job.scored_by == "enclave":
            self._all_inside(job, columns, channels)
            return
        with self.steps.step("training", f"training the {job.model.kind}") as step:
            self.watch.enter("training")
            trained = train(job, columns)
            step.result = f"trained the model ({job.model.kind}) on {trained.rows:,} common clients"
        with self.steps.step("hand-over", "sharing the model") as step:
            self.watch.enter("the hand-over")
            dealt = hand_over(
                job,
                trained,
                signing=keys.signing,
                production=self.attester.production,
                measurement=self.attester.measurement,
                channels=channels,
            )
            self.watch.finish()
            step.result = f"one share each, randomness for {dealt:,} predictions"

    def _all_inside(
        self, job: Job, columns: dict[str, Columns], channels: dict[str, Channel]
    ) -> None:
        with self.steps.step("training", f"training the {job.model.kind}") as step:
            self.watch.enter("training")
            model = fit(job, columns)
            step.result = f"trained the model ({job.model.kind})"
        with self.steps.step("scoring", "scoring applicants") as step:
            self.watch.enter("prediction")
            rows = score_inside(job, model, columns, channels)
            self.watch.finish()
            step.result = f"scored {rows:,} applicants for {job.scores_to}"

    def _deal(self, job: Job, channels: dict[str, Channel]) -> None:
        with self.steps.step("dealing", "dealing for the parties") as step:
            self.watch.enter("the computation on shares")
            dealing = Dealing([channels[name] for name in job.computing])
            dealing.serve()
            self.watch.finish()
            step.result = f"{dealing.dealt:,} bytes of randomness for {dealing.runs:,} runs"

    def _deal_again(self, job: Job, channels: dict[str, Channel]) -> None:
        with self.steps.step("dealing", "dealing for the parties' model") as step:
            self.watch.enter("the hand-over")
            dealt = deal_again(job, channels)
            self.watch.finish()
            step.result = f"randomness for {dealt:,} predictions with the model that they have"

    def _receive_all(self, keys: EnclaveKeys) -> dict[str, Guest]:
        first = self._receive(keys, *self._invite({}, self.patience.first))
        guests = {first.proposal.party: first}
        job = first.proposal.job
        while len(guests) < len(job.members):
            guest = self._receive(keys, *self._invite(guests, self.patience.second))
            guests[guest.proposal.party] = guest
        return {name: guests[name] for name in job.names}

    def _invite(self, guests: dict[str, Guest], patience: float) -> tuple[Channel, Proposal]:
        """The next caller that proves to be a party of the job, among strangers who do not."""
        until = time.monotonic() + patience
        while True:
            channel = None
            try:
                channel = self.door.accept_until_attested("a party", until - time.monotonic())
                with self.watch.within(self.patience.introduction):
                    return channel, self._introduced(channel, guests)
            except Exception as error:
                if channel is not None:
                    channel.abort(str(error) if isinstance(error, MoietyError) else told(error))
                self._check_guests()
                if time.monotonic() >= until:
                    raise
                self.steps.note(f"turned a caller away: {_words(error)}")

    def _introduced(self, channel: Channel, guests: dict[str, Guest]) -> Proposal:
        channel.step = "its introduction"
        proposal = receive_proposal(channel, self.admitted)
        if any(guest.proposal.job.hash != proposal.job.hash for guest in guests.values()):
            raise PolicyRefused("another job is under way here", hint="try again when it is over")
        if proposal.party in guests:
            raise PolicyRefused(f"{proposal.party} is here already")
        return proposal

    def _check_guests(self) -> None:
        """Raises PeerLost if a guest is gone: then the job is over, whoever else called."""
        self.watch.wait(None, 0, 0)

    def _receive(self, keys: EnclaveKeys, channel: Channel, proposal: Proposal) -> Guest:
        """The guest with its data; if they are not good, it alone is told all about it."""
        try:
            return self._opened(keys, channel, proposal)
        except MoietyError as error:
            channel.abort(str(error))
            raise

    def _opened(self, keys: EnclaveKeys, channel: Channel, proposal: Proposal) -> Guest:
        if self.attester is None:
            return self._dealt_for(channel, proposal)
        channel.step = "attestation"
        with self.steps.step("attestation", f"attesting to {proposal.party}") as step:
            claim = present(channel, proposal, self.attester, keys)
            with self.watch.within(self.patience.release):
                released = receive_key(channel, proposal, claim, keys)
            brings = "released its key" if released else "brings no data"
            step.result = f"attested to {proposal.party}, which {brings}"
        if released is None:
            return Guest(channel, proposal, None)
        if proposal.job.model.by_mpc:
            raise PolicyRefused("no data are to be brought here: the job's parties train by MPC")
        with self.steps.step("capsule", f"receiving {proposal.party}'s capsule") as step:
            channel.step = "the sealed data's transfer"
            columns = self._open(channel, proposal, *released)
            step.result = f"opened {proposal.party}'s capsule"
        return Guest(channel, proposal, columns)

    def _dealt_for(self, channel: Channel, proposal: Proposal) -> Guest:
        """A party of a job that names this dealer."""
        pinned = proposal.job.dealer_certificate
        if pinned is None or pin(pinned) != self.own:
            raise PolicyRefused("the job names another dealer, or an enclave")
        self.steps.note(f"{proposal.party} is here")
        channel.send(Kind.DEAL, b"")
        return Guest(channel, proposal, None)

    def _open(
        self, channel: Channel, proposal: Proposal, key: DataKey, header: CapsuleHeader
    ) -> Columns:
        member, whole = proposal.job.member(proposal.party), io.BytesIO()
        with key:
            for piece in open_capsule(CapsuleReader(channel, largest_capsule(member)), key, header):
                whole.write(piece)
        return read_columns(proposal.job, member, whole.getvalue())


def _words(error: Exception) -> str:
    """An error for the service's own log; a fault's text could quote data, so only its kind."""
    return str(error) if isinstance(error, MoietyError) else f"a fault ({type(error).__name__})"
