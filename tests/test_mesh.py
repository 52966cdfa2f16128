"""Every two workers of a roster meet over TLS, and nobody else."""

import socket
import ssl
from dataclasses import replace
from functools import partial

import pytest

from cluster_kit import CREDENTIALS, free_port, roster, side
from moiety.enclave.mesh import Door, meet
from moiety.enclave.worker import watch
from moiety.errors import AttestationFailed, ConfigError, PeerLost, PolicyRefused
from moiety.wire.certificates import fingerprint
from moiety.wire.tls import connect, listen
from party_kit import outcomes


def mesh(listed, name, **changes):
    eyes = watch()
    with eyes:
        made = meet(listed, side(name), Door(CREDENTIALS[changes.get("by", name)], eyes))
        found = made.rank, sorted(made.channels), made.production
        eyes.finish()
        return found


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_every_two_workers_meet(count):
    listed = roster(count)
    found = outcomes(*(partial(mesh, listed, name) for name in listed.names))
    others = [[peer for peer in range(count) if peer != rank] for rank in range(count)]
    assert found == [(rank, others[rank], False) for rank in range(count)], found


def test_strangers_are_turned_away_and_the_mesh_is_made():
    listed = roster(2)

    def stranger():
        with pytest.raises((PeerLost, PolicyRefused)):
            connect(
                listed.workers[0].address,
                "w0",
                credentials=CREDENTIALS["stranger"],
                pinned=listed.workers[0].certificate,
                deadline=10,
            )
        return mesh(listed, "w1")

    found = outcomes(partial(mesh, listed, "w0"), stranger)
    assert [one[0] for one in found] == [0, 1], found


def test_a_worker_needs_the_certificate_that_the_roster_pins():
    with pytest.raises(ConfigError, match="the roster pins"):
        mesh(roster(2), "w0", by="w1")
    with pytest.raises(ConfigError, match="not in the roster"):
        mesh(roster(2), "w4")


@pytest.mark.parametrize("workers", [(), ("a", "a"), ("a",) * 300])
def test_a_roster_names_each_worker_once(workers):
    listed = roster(1).workers[0]
    with pytest.raises(ConfigError, match="roster: "):
        replace(roster(1), workers=tuple(replace(listed, name=name) for name in workers))


def test_tls_before_1_3_is_no_way_to_a_worker():
    address, own = f"127.0.0.1:{free_port()}", CREDENTIALS["w0"]
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.maximum_version = ssl.TLSVersion.TLSv1_2

    def call():
        host, port = address.split(":")
        with socket.create_connection((host, int(port))) as sock:
            old.wrap_socket(sock)

    def accept():
        with listen(address, credentials=own) as door:
            calling = outcomes(call, lambda: door.accept({"w1": fingerprint(own.certificate)}, 2))
            return calling

    found = accept()
    assert isinstance(found[0], ssl.SSLError), found
    assert isinstance(found[1], PeerLost)


def test_one_that_demands_other_code_ends_the_meeting():
    listed = roster(2)

    def strict():
        eyes = watch()
        with eyes:
            door = Door(CREDENTIALS["w1"], eyes)
            return meet(listed, side("w1", measurements=frozenset({bytes(32)})), door)

    found = outcomes(partial(mesh, listed, "w0"), strict)
    assert isinstance(found[1], AttestationFailed)
    assert "w1 stopped: the evidence of the enclave is refused" in str(found[0])
