"""Parties and an enclave in one process, on channels without sockets' cost, for hostile tests."""

import secrets
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

import numpy as np

from moiety.agreement.manifest import load_job, parse_job
from moiety.data.schema import Schema
from moiety.data.table import Table
from moiety.enclave.attester.simulation import SimulationAttester, SimulationPlatform
from moiety.enclave.handshake import Demands, EnclaveKeys
from moiety.enclave.inputs import Columns
from moiety.party.config import load_party
from moiety.wire.certificates import make_credentials
from moiety.wire.channel import Channel
from moiety.wire.transport import InsecureTransport
from moiety.wire.watch import Watch
from stage_kit import base

NAMES = ("lender", "payco")
ENCLAVE = make_credentials("enclave", 1)


def stage():
    """The stage that all tests of a process read; none changes it."""
    return base()


@cache
def party(name):
    return load_party(stage().homes[name])


@cache
def job():
    return load_job(stage().job)


def other_job(*changes):
    """The job with texts replaced: another job, which nobody signed."""
    text = job().source.decode()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return parse_job(text.encode())


def signatures(of=None):
    of = of or job()
    return {name: party(name).signing_key.sign_job(of.hash) for name in NAMES}


@cache
def platform():
    return SimulationPlatform.load(stage().folder / "enclave" / "platform")


def attester(**scenario):
    return SimulationAttester(platform(), **scenario)


def demands(name="lender", **policy):
    """What a party demands, with its policy changed."""
    rules = party(name).rules.enclave
    return Demands(rules.verifier, replace(rules.policy, **policy))


@cache
def keys():
    return EnclaveKeys.create()


@contextmanager
def line(near="lender", far="enclave", *, silence=20.0):
    """The two ends of a channel, each with its certificate: what `near` holds, what `far` holds."""
    held = {"enclave": ENCLAVE}
    certificates = [(held.get(name) or party(name).credentials).certificate for name in (near, far)]
    secret, sockets = secrets.token_bytes(32), socket.socketpair()
    ends = []
    for index, sock in enumerate(sockets):
        transport = InsecureTransport(sock, own="", peer="", secret=secret)
        transport.own_certificate = certificates[index]
        transport.peer_certificate = certificates[1 - index]
        ends.append(Channel(transport, (far, near)[index], watch=Watch(silence=silence)))
    with ends[0], ends[1]:
        yield ends


def outcomes(*calls):
    """What calls that need each other return, or the errors that they raise."""

    def outcome(call):
        try:
            return call()
        except Exception as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(outcome, calls))


def columns(rows=60, of=None):
    """Bin codes that the owners of a job could have sealed."""
    of = of or job()
    drawn = np.random.default_rng(5)
    made = {}
    for member in of.members:
        codes = {name: drawn.integers(0, 4, rows).astype(np.uint8) for name in member.columns}
        label = (np.arange(rows) % 3 == 0).astype(np.uint8) if member.label else None
        made[member.name] = Columns(
            codes, dict.fromkeys(codes, 4), dict.fromkeys(codes, False), label
        )
    return made


def party_table(ids):
    """A table of people without columns."""
    return Table("people", Schema({}), np.array(ids, dtype=np.str_), {}, None)
