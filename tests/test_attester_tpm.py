"""A real TPM in software quotes what was booted, and counts."""

import sys

import pytest

from moiety.enclave.attester.tpm import BOOT, Tpm
from moiety.enclave.event_log import parse_log, replay
from moiety.enclave.tpm import (
    TpmEvidence,
    TpmPolicy,
    verify_tpm,
)
from moiety.errors import AttestationFailed, ConfigError
from tpm_kit import BOOTED, extend, log_of, needed, software_tpm

DATA = bytes(range(64))


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """A TPM after a boot, and the log of it."""
    needed()
    folder = tmp_path_factory.mktemp("tpm")
    with software_tpm(folder / "state") as where:
        extend(where, BOOTED)
        log = folder / "log"
        log.write_bytes(log_of(BOOTED))
        yield where, log


@pytest.fixture(scope="module")
def quoted(machine):
    where, log = machine
    with Tpm(where) as tpm:
        return tpm.quote(DATA, log=log)


def test_a_tpm_quotes_what_was_booted(machine, quoted):
    evidence = TpmEvidence.parse(quoted)
    found = verify_tpm(evidence, DATA)
    assert evidence.attest.selected == BOOT and found.explained == frozenset(BOOT)
    assert evidence.pcrs == replay(parse_log(log_of(BOOTED)))
    policy = TpmPolicy(
        keys=frozenset({found.key_sha256}),
        pcrs={n: frozenset({evidence.pcrs[n]}) for n in (0, 4, 7)},
    )
    assert policy.accept(found) is found


def test_a_quote_is_about_its_report_data_and_its_registers(machine, quoted):
    where, log = machine
    with pytest.raises(AttestationFailed, match="not about this channel"):
        verify_tpm(TpmEvidence.parse(quoted), bytes(64))
    with Tpm(where, pcrs=(4, 16)) as tpm:
        before = TpmEvidence.parse(tpm.quote(DATA, log=log))
        assert before.attest.selected == (4, 16)
    extend(where, [(16, "action", b"more")])
    with Tpm(where, pcrs=(16, 4, 4)) as tpm:
        after = TpmEvidence.parse(tpm.quote(DATA, log=log))
    assert after.pcrs[4] == before.pcrs[4]
    assert after.pcrs[16] != before.pcrs[16]


def test_more_registers_than_a_tpm_reads_at_once(machine):
    where, log = machine
    with Tpm(where, pcrs=tuple(range(24))) as tpm:
        evidence = TpmEvidence.parse(tpm.quote(DATA, log=log))
    assert len(verify_tpm(evidence, DATA).evidence.pcrs) == 24


def test_the_key_is_the_same_again_and_other_in_another_tpm(machine, tmp_path):
    where, _ = machine
    with Tpm(where) as one:
        key = one.key
    with Tpm(where) as two:
        assert two.key == key
    with software_tpm(tmp_path / "other") as elsewhere, Tpm(elsewhere) as other:
        assert other.key != key


def test_a_machine_without_a_log(machine, tmp_path):
    where, _ = machine
    with Tpm(where) as tpm:
        found = verify_tpm(TpmEvidence.parse(tpm.quote(DATA, log=tmp_path / "none")), DATA)
    assert found.explained == frozenset()


def test_a_log_of_another_boot_is_refused(machine, tmp_path):
    where, _ = machine
    (tmp_path / "log").write_bytes(log_of(BOOTED[:-1]))
    with Tpm(where) as tpm:
        evidence = TpmEvidence.parse(tpm.quote(DATA, log=tmp_path / "log"))
    assert verify_tpm(evidence, DATA).explained == frozenset(range(7))
    (tmp_path / "log").write_bytes(log_of([*BOOTED, (7, "action", b"a lie")]))
    with Tpm(where) as tpm:
        evidence = TpmEvidence.parse(tpm.quote(DATA, log=tmp_path / "log"))
    with pytest.raises(AttestationFailed, match="does not lead to PCR 7"):
        verify_tpm(evidence, DATA)


def test_a_counter_goes_up_and_never_back(tmp_path):
    lib = needed()
    with software_tpm(tmp_path / "state") as where, Tpm(where) as tpm:
        with pytest.raises(AttestationFailed, match="the TPM refuses"):
            tpm.count()
        first = tpm.increment()
        assert [tpm.increment(), tpm.increment(), tpm.count()] == [first + 1, first + 2, first + 2]
        assert tpm.increment(0x01806D02) >= first
    with software_tpm(tmp_path / "state") as where:
        with Tpm(where) as tpm:
            assert tpm.count() == first + 2, "the counter outlives its machine's power"
        with lib.ESAPI(where) as owner:
            owner.nv_undefine_space(owner.tr_from_tpmpublic(0x01806D01))
        with Tpm(where) as tpm:
            assert tpm.increment() > first + 2, "an owner who makes it anew does not put it back"


def test_an_index_that_is_no_counter(tmp_path):
    lib = needed()
    may = lib.TPMA_NV.AUTHREAD | lib.TPMA_NV.AUTHWRITE
    area = lib.TPMS_NV_PUBLIC(
        nvIndex=0x01806D01, nameAlg=lib.TPM2_ALG.SHA256, attributes=may, dataSize=8
    )
    with software_tpm(tmp_path / "state") as where:
        with lib.ESAPI(where) as owner:
            owner.nv_define_space(None, lib.TPM2B_NV_PUBLIC(nvPublic=area))
        with Tpm(where) as tpm, pytest.raises(AttestationFailed, match="the TPM refuses"):
            tpm.increment()


def test_a_tpm_that_is_not_there(tmp_path, monkeypatch):
    needed()
    with pytest.raises(AttestationFailed, match="the TPM refuses"):
        Tpm(f"device:{tmp_path}/none")
    for pcrs in ((), (24,), (-1,)):
        with pytest.raises(ConfigError, match="0 to 23"):
            Tpm("device:/dev/none", pcrs=pcrs)


def test_a_library_that_is_not_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "tpm2_pytss", None)
    with pytest.raises(ConfigError, match="tpm2-pytss is not installed") as told:
        Tpm()
    assert "moiety[tpm]" in told.value.hint
