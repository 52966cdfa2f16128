"""A real TPM in software quotes what was booted; everything that may be wrong with a quote."""

import hashlib
import sys
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given, settings
from hypothesis import strategies as st

from moiety.enclave.attester.tpm import BOOT, Tpm
from moiety.enclave.event_log import parse_log, replay
from moiety.enclave.tpm import (
    Attest,
    TpmEvidence,
    TpmPolicy,
    pack_tpm,
    qualifying,
    verify_tpm,
)
from moiety.errors import AttestationFailed, ConfigError, InternalError
from tpm_kit import extend, log_of, needed, software_tpm

DATA = bytes(range(64))
BOOTED = [
    (0, "nothing", b"a remark"),
    (0, "action", b"firmware 1.2"),
    (4, "loader", b"a loader"),
    (4, "loader", b"a kernel"),
    *((n, "separator", bytes(4)) for n in range(8)),
]


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


# ── a TPM ───────────────────────────────────────────────────────────────────────────────────


def test_a_tpm_quotes_what_was_booted(machine, quoted):
    evidence = TpmEvidence.parse(quoted)
    found = verify_tpm(evidence, DATA)
    assert evidence.attest.selected == BOOT and found.explained == frozenset(BOOT)
    assert evidence.registers == replay(parse_log(log_of(BOOTED)))
    policy = TpmPolicy(
        keys=frozenset({found.key_sha256}),
        registers={n: frozenset({evidence.registers[n]}) for n in (0, 4, 7)},
    )
    assert policy.accept(found) is found


def test_a_quote_is_about_its_report_data_and_its_registers(machine, quoted):
    where, log = machine
    with pytest.raises(AttestationFailed, match="not about this channel"):
        verify_tpm(TpmEvidence.parse(quoted), bytes(64))
    with Tpm(where, registers=(4, 16)) as tpm:
        before = TpmEvidence.parse(tpm.quote(DATA, log=log))
        assert before.attest.selected == (4, 16)
    extend(where, [(16, "action", b"more")])
    with Tpm(where, registers=(16, 4, 4)) as tpm:
        after = TpmEvidence.parse(tpm.quote(DATA, log=log))
    assert after.registers[4] == before.registers[4]
    assert after.registers[16] != before.registers[16]


def test_more_registers_than_a_tpm_reads_at_once(machine):
    where, log = machine
    with Tpm(where, registers=tuple(range(24))) as tpm:
        evidence = TpmEvidence.parse(tpm.quote(DATA, log=log))
    assert len(verify_tpm(evidence, DATA).evidence.registers) == 24


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
    with pytest.raises(AttestationFailed, match="does not lead to register 7"):
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
    for registers in ((), (24,), (-1,)):
        with pytest.raises(ConfigError, match="0 to 23"):
            Tpm("device:/dev/none", registers=registers)


def test_a_library_that_is_not_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "tpm2_pytss", None)
    with pytest.raises(ConfigError, match="tpm2-pytss is not installed") as told:
        Tpm()
    assert "moiety[tpm]" in told.value.hint


# ── a quote, without a TPM ──────────────────────────────────────────────────────────────────

KEY = ec.generate_private_key(ec.SECP256R1())
VALUES = {n: bytes([n]) * 32 for n in (0, 4, 7)}


def sized(data):
    return len(data).to_bytes(2, "big") + data


def attested(values=VALUES, about=None, *, magic=0xFF544347, kind=0x8018, banks=1, bank=0x000B):
    """TPMS_ATTEST as a TPM writes it."""
    bits = sum(1 << n for n in values).to_bytes(3, "little")
    digest = hashlib.sha256(b"".join(values[n] for n in sorted(values))).digest()
    return b"".join(
        (
            magic.to_bytes(4, "big") + kind.to_bytes(2, "big"),
            sized(b"\0\x0b" + bytes(32)),
            sized(qualifying(DATA) if about is None else about),
            (7).to_bytes(8, "big") + (3).to_bytes(4, "big") + (1).to_bytes(4, "big") + b"\1",
            (0x20190123).to_bytes(8, "big"),
            banks.to_bytes(4, "big") + bank.to_bytes(2, "big") + b"\3" + bits,
            sized(digest),
        )
    )


def signature(data, key=KEY, scheme=b"\0\x18\0\x0b"):
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return scheme + sized(r.to_bytes(48, "big")) + sized(s.to_bytes(48, "big"))


def spki(key=KEY):
    public = key.public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return public.public_bytes(serialization.Encoding.DER, form)


def message(attest=None, *, values=VALUES, log=b"", key=KEY, **parts):
    attest = attested(values) if attest is None else attest
    told = {"key": spki(key), "attest": attest, "signature": signature(attest, key)}
    return pack_tpm(**{**told, **parts}, registers=values, log=log)


GOOD = message()


def test_what_a_tpm_signs_is_read():
    attest = TpmEvidence.parse(GOOD).attest
    assert attest == replace(attest, clock=7, resets=3, restarts=1, selected=(0, 4, 7))
    found = verify_tpm(TpmEvidence.parse(GOOD), DATA)
    with pytest.raises(InternalError):
        replace(found, explained=frozenset({0}), seal=None)


@pytest.mark.parametrize(
    "data, because",
    [
        (message(attested(magic=0)), "not a quote"),
        (message(attested(kind=0x8017)), "not a quote"),
        (message(attested(banks=2)), "other banks"),
        (message(attested(bank=0x000C)), "other banks"),
        (message(attested({})), "no registers"),
        (message(attested() + b"\0"), "1 bytes too many"),
        (message(values={0: bytes(32)}, attest=attested()), "32 bytes of 3 registers"),
        (message(signature=signature(attested(), scheme=b"\0\x14\0\x0b")), "not ECDSA"),
        (message(signature=signature(attested()) + b"\0"), "too many"),
        (b"", "not a message"),
    ],
)
def test_what_is_no_evidence(data, because):
    with pytest.raises(AttestationFailed, match=f"malformed.*{because}"):
        TpmEvidence.parse(data)


OTHER = ec.generate_private_key(ec.SECP256R1())
LARGE = ec.generate_private_key(ec.SECP384R1())


@pytest.mark.parametrize(
    "data, because",
    [
        (message(signature=signature(attested(), OTHER)), "does not fit its key"),
        (message(key=LARGE), "not one of P-256"),
        (message(key=OTHER, signature=signature(attested())), "does not fit"),
        (message(attested(about=DATA)), "not about this channel"),
        (message(attested(), values={**VALUES, 4: bytes(32)}), "not those that the TPM quoted"),
        (message(log=log_of([(0, "action", b"x")])), "does not lead to register 0"),
        (message(log=b"no log"), "malformed"),
    ],
)
def test_what_is_not_authentic(data, because):
    with pytest.raises(AttestationFailed, match=because):
        verify_tpm(TpmEvidence.parse(data), DATA)


def test_an_unreadable_key():
    with pytest.raises(AttestationFailed, match="cannot be read"):
        verify_tpm(replace(TpmEvidence.parse(GOOD), key=b"key"), DATA)


def test_all_refusals_are_told_at_once_and_what_is_unset_is_refused():
    found = verify_tpm(TpmEvidence.parse(GOOD), DATA)
    with pytest.raises(AttestationFailed) as told:
        TpmPolicy().accept(found)
    assert str(told.value).count("\n  - ") == 2
    demands = {0: frozenset({VALUES[0]}), 4: frozenset({bytes(32)}), 5: frozenset({bytes(32)})}
    with pytest.raises(AttestationFailed, match=r"key (.|\n)*register 4 is (.|\n)*5 is not quo"):
        TpmPolicy(keys=frozenset({bytes(32)}), registers=demands).accept(found)
    for wrong in ({"keys": frozenset({b"k"})}, {"registers": {24: frozenset({bytes(32)})}}):
        with pytest.raises(ConfigError, match="TPM policy"):
            TpmPolicy(**wrong)


@settings(max_examples=300)
@given(st.integers(0, len(GOOD) - 1), st.integers(0, 7))
def test_an_altered_quote_is_never_authentic(at, bit):
    altered = GOOD[:at] + bytes([GOOD[at] ^ 1 << bit]) + GOOD[at + 1 :]
    try:
        found = verify_tpm(TpmEvidence.parse(altered), DATA)
    except AttestationFailed:
        return
    assert found == verify_tpm(TpmEvidence.parse(GOOD), DATA)


@given(st.binary(max_size=300), st.integers(0, 200))
def test_any_bytes_are_refused_by_our_own_refusal(data, at):
    for parse, good in ((Attest.parse, attested()), (TpmEvidence.parse, GOOD)):
        for each in (data, good[:at] + data):
            try:
                parse(each)
            except AttestationFailed:
                pass


# ── event logs ──────────────────────────────────────────────────────────────────────────────


def test_a_log_is_replayed():
    separator = hashlib.sha256(bytes(32) + hashlib.sha256(bytes(4)).digest()).digest()
    registers = replay(parse_log(log_of(BOOTED)))
    assert set(registers) == set(range(8)) and registers[7] == separator
    assert [each.data for each in parse_log(log_of(BOOTED))][1] == b"firmware 1.2"


def test_the_locality_of_start_up_is_where_register_0_begins():
    begun = replay(parse_log(log_of([(0, "nothing", b"StartupLocality\0\3")])))
    assert begun == {0: bytes(31) + b"\3"}
    assert replay(parse_log(log_of([(1, "nothing", b"StartupLocality\0\3")]))) == {}


@pytest.mark.parametrize(
    "log, because",
    [
        (b"", "bytes expected"),
        (log_of([], algorithms=((4, 20),)), "without SHA-256"),
        (log_of([], algorithms=((11, 20),)), "without SHA-256"),
        (log_of([]).replace(b"Event03", b"Event02"), "another form"),
        (log_of([(0, "action", b"")])[:-4] + b"\xff\xff\xff\xff", "bytes expected"),
        (log_of([(24, "action", b"")]), "register 24"),
        (bytes((256 << 10) + 1), "above"),
    ],
)
def test_what_is_no_log(log, because):
    with pytest.raises(AttestationFailed, match=because):
        parse_log(log)


LONG = log_of(BOOTED)


@given(st.integers(0, len(LONG)), st.binary(max_size=40), st.integers(0, 40))
def test_any_log_is_replayed_or_refused(at, put, cut):
    try:
        replay(parse_log(LONG[:at] + put + LONG[at + cut :]))
    except AttestationFailed:
        pass
