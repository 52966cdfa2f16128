"""Faults that were found by attacking: each stays refused."""

import io
import socket
import time

import pyarrow as pa
import pytest

from moiety.agreement.fields import LARGEST, parse_toml
from moiety.agreement.manifest import pin
from moiety.agreement.signing import public_key, public_text_of
from moiety.enclave.capsule import CapsuleHeader, DataKey, open_capsule, seal
from moiety.enclave.inputs import check_message
from moiety.errors import ConfigError, PeerLost
from moiety.wire.frame import HEADER, Kind
from moiety.wire.plain import insecure_channel


@pytest.mark.parametrize("text", ["a." * 4000 + "a = 1", "x = 1\n" * LARGEST])
def test_a_text_that_is_dear_to_read_is_refused_at_once(text):
    began = time.monotonic()
    with pytest.raises(ConfigError, match="more than"):
        parse_toml(text.encode(), "job.toml")
    assert time.monotonic() - began < 0.5


def messages(rows, **options):
    batch = pa.record_batch({"a": pa.array([0] * rows, pa.uint8())})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(**options)) as out:
        out.write_batch(batch)
    return list(pa.ipc.MessageReader.open_stream(sink.getvalue()))


@pytest.mark.parametrize("rows", [0, 1, 999, 1000])
def test_a_plain_batch_is_read(rows):
    for message in messages(rows):
        check_message(message, 1000)


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_a_compressed_batch_is_refused_before_it_grows(compression):
    with pytest.raises(ValueError, match="compressed"):
        for message in messages(100_000, compression=compression):
            check_message(message, 1_000_000)


def test_a_batch_of_too_many_rows_is_refused():
    with pytest.raises(ValueError, match="too many rows"):
        for message in messages(1001):
            check_message(message, 1000)


def test_dictionaries_are_refused():
    batch = pa.record_batch({"a": pa.array(["x", "y"]).dictionary_encode()})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as out:
        out.write_batch(batch)
    with pytest.raises(ValueError, match="no table"):
        for message in pa.ipc.MessageReader.open_stream(sink.getvalue()):
            check_message(message, 10)


class Dribble(io.BytesIO):
    """Gives one byte at a time."""

    def read(self, size=-1, /):
        return super().read(min(size, 1))


def test_a_capsule_in_single_bytes_takes_linear_time():
    header = CapsuleHeader("lender/clients", 1, bytes(32))
    key = DataKey.random()
    sealed = b"".join(seal(bytes(60_000), key, header))
    began = time.monotonic()
    assert sum(map(len, open_capsule(Dribble(sealed), key, header))) == 60_000
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("body", [" " * 64, "AB" * 32, "0" * 63])
def test_a_pin_is_64_hex_digits(body):
    with pytest.raises(ConfigError, match="not a fingerprint"):
        pin("sha256:" + body)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("sign", [0, 0x80])
def test_keys_under_which_one_signature_fits_all_are_refused(first, sign):
    raw = bytes([first]) + bytes(30) + bytes([sign])
    with pytest.raises(ConfigError, match="not a signing key"):
        public_key(public_text_of(raw))


def test_heartbeats_do_not_hold_a_greeting_open(monkeypatch):
    monkeypatch.setattr("moiety.wire.channel.GREETING_TIME", 0.5)
    near, far = socket.socketpair()
    with insecure_channel(near, "lender", "payco") as channel, far:
        beat = HEADER.pack(Kind.HEARTBEAT, 0, 0, 0, 0)
        far.sendall(beat * 3)
        began = time.monotonic()
        with pytest.raises(PeerLost, match="took too long during the greeting"):
            channel.greet()
        assert time.monotonic() - began < 3
