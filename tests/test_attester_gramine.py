"""SGX under Gramine, by files that behave as Gramine's; real device files; what is detected."""

import errno
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from device_kit import GRAMINE, ROOT, Gramine, Kernel, failure, sgx_quote, snp_report, tdx_quote
from enclave_kit import MEASURED, NOW, PLATFORM, VERIFIER, About
from moiety.enclave.attester import Places, detect
from moiety.enclave.attester.files import DEVICES, LIMIT
from moiety.enclave.attester.gramine import GramineAttester
from moiety.enclave.attester.scenario import Scenario
from moiety.enclave.evidence import Evidence, unpack
from moiety.errors import AttestationFailed, ConfigError, InternalError

DATA = bytes(range(64))
COLLATERAL = unpack(PLATFORM.evidence(DATA, MEASURED, NOW, Scenario()))[1]


def attester(device):
    return GramineAttester(lambda: COLLATERAL, root=GRAMINE, files=device)


def test_an_enclave_attests_and_its_evidence_is_verified_as_any():
    device = Gramine()
    found = attester(device)
    assert (found.measurement, found.production, found.tee) == (MEASURED, True, "sgx")
    evidence = Evidence.parse(found.quote(DATA))
    assert device.writes == [bytes(64), DATA]
    assert VERIFIER.verify(evidence, About(DATA), now=NOW).evidence.report.report_data == DATA


@pytest.mark.parametrize("length", [0, 32, 63, 65])
def test_gramine_would_pad_or_cut_other_lengths_so_they_are_not_written(length):
    device = Gramine()
    found = attester(device)
    with pytest.raises(InternalError, match=f"{length} bytes"):
        found.quote(bytes(length))
    assert len(device.writes) == 1


def test_threads_take_turns():
    device = Gramine(pause=0.002)
    found = attester(device)
    wanted = [bytes([n]) * 64 for n in range(24)]
    with ThreadPoolExecutor(8) as pool:
        quoted = list(pool.map(found.quote, wanted))
    assert [Evidence.parse(each).report.report_data for each in quoted] == wanted
    assert len(device.threads) > 1


def test_who_writes_in_between_is_noticed():
    device = Gramine()
    found = attester(device)
    device.make_quote = lambda data: sgx_quote(bytes(64))
    with pytest.raises(AttestationFailed, match="other report data than it was given"):
        found.quote(DATA)


@pytest.mark.parametrize("kind", ["none", "epid", ""])
def test_only_dcap_is_attestation(kind):
    with pytest.raises(ConfigError, match=f"by '{kind}'") as told:
        attester(Gramine(kind))
    assert "sgx.remote_attestation" in told.value.hint


def test_what_no_enclave_would_say():
    with pytest.raises(AttestationFailed, match="debugger"):
        attester(Gramine(quote=lambda data: sgx_quote(data, debug=True)))
    with pytest.raises(AttestationFailed, match="no quote of an SGX enclave"):
        attester(Gramine(quote=tdx_quote))
    with pytest.raises(AttestationFailed, match="malformed"):
        attester(Gramine(quote=lambda data: b""))


def test_what_gramine_says_is_told():
    device = Gramine()

    def refuse(data):
        raise failure(errno.EACCES, GRAMINE / "quote")

    device.make_quote = refuse
    with pytest.raises(AttestationFailed, match=r"SGX does not attest: /attestation/quote: Perm"):
        attester(device)


# ── the system's own files ──────────────────────────────────────────────────────────────────


def test_a_device_gets_all_bytes_by_one_write(tmp_path):
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)

    def listen():
        descriptor = os.open(pipe, os.O_RDONLY)
        got.append(os.read(descriptor, 1000))
        os.close(descriptor)

    thread = threading.Thread(target=listen)
    thread.start()
    DEVICES.write(pipe, DATA)
    thread.join()
    assert got == [DATA]


def test_a_device_that_takes_less_is_told(tmp_path, monkeypatch):
    path = tmp_path / "device"
    path.touch()
    monkeypatch.setattr(os, "write", lambda descriptor, data: 32)
    with pytest.raises(OSError, match="took 32 of 64 bytes"):
        DEVICES.write(path, DATA)


def test_a_device_is_read_to_its_end_but_not_without_one(tmp_path):
    path = tmp_path / "device"
    path.write_bytes(bytes(LIMIT))
    assert DEVICES.read(path) == bytes(LIMIT)
    with pytest.raises(OSError, match=f"more than {LIMIT} bytes"):
        DEVICES.read(Path("/dev/zero"))
    with pytest.raises(FileNotFoundError):
        DEVICES.write(tmp_path / "none", DATA)
    DEVICES.make(tmp_path / "entry")
    DEVICES.remove(tmp_path / "entry")
    assert not (tmp_path / "entry").exists()


# ── what is here ────────────────────────────────────────────────────────────────────────────


class Shown(type(Path())):
    """A path that is there."""

    def exists(self, **_):
        return True


def places(tmp_path, *names):
    known = {"gramine": GRAMINE, "tsm": ROOT, "tpm": tmp_path / "tpm"}
    return Places(
        **{name: Shown(path) if name in names else tmp_path / name for name, path in known.items()}
    )


def find(tmp_path, files, *names):
    return detect(lambda: COLLATERAL, places=places(tmp_path, *names), files=files)


def test_the_hardware_that_is_here_is_found(tmp_path):
    assert find(tmp_path, Gramine(), "gramine", "tsm", "tpm").tee == "sgx"
    assert find(tmp_path, Kernel(), "tsm", "tpm").tee == "tdx"
    assert find(tmp_path, Kernel("sev_guest", snp_report), "tsm").tee == "snp"


def test_nothing_is_found_where_nothing_is_and_never_a_simulation(tmp_path):
    with pytest.raises(AttestationFailed, match="has no hardware") as told:
        find(tmp_path, DEVICES)
    assert "tee doctor" in told.value.hint
    with pytest.raises(AttestationFailed, match="only a TPM, which keeps nothing"):
        find(tmp_path, DEVICES, "tpm")
    with pytest.raises(ConfigError, match="by 'none'"):
        find(tmp_path, Gramine("none"), "gramine", "tsm")
    with pytest.raises(AttestationFailed, match="No such device"):
        find(tmp_path, Kernel(None), "tsm")
