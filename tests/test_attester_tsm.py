"""TDX and SEV-SNP through configfs-tsm: the kernel's protocol, and everyone who interferes."""

import errno

import pytest

from device_kit import MRTD, ROOT, Kernel, failure, snp_report, tdx_quote
from enclave_kit import NOW, PLATFORM, vector
from moiety.enclave.attester import tsm
from moiety.enclave.attester.scenario import Scenario
from moiety.enclave.attester.tsm import SnpAttester, TdxAttester, report
from moiety.enclave.evidence import Evidence, unpack
from moiety.errors import AttestationFailed, InternalError

DATA = bytes(range(64))
COLLATERAL = unpack(PLATFORM.evidence(DATA, MRTD, NOW, Scenario(form="tdx-v4")))[1]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(tsm, "PAUSE", 0.0)


def tdx(kernel):
    return TdxAttester(lambda: COLLATERAL, root=ROOT, files=kernel)


def snp(**facts):
    return Kernel("sev_guest", snp_report, **facts)


# ── the fake behaves as the kernel does ─────────────────────────────────────────────────────


def test_the_kernel_refuses_what_it_refuses():
    kernel, entry = Kernel(), ROOT / "one"
    with pytest.raises(OSError, match="No such file"):
        kernel.write(entry / "inblob", DATA)
    kernel.make(entry)
    for number, call in [
        (errno.EEXIST, lambda: kernel.make(entry)),
        (errno.EINVAL, lambda: kernel.read(entry / "outblob")),
        (errno.EFBIG, lambda: kernel.write(entry / "inblob", bytes(65))),
        (errno.ENOENT, lambda: kernel.write(entry / "privlevel", b"0")),
        (errno.ENOENT, lambda: kernel.read(entry / "auxblob")),
        (errno.EACCES, lambda: kernel.write(entry / "generation", b"0")),
        (errno.ENXIO, lambda: Kernel(None).make(entry)),
    ]:
        with pytest.raises(OSError) as told:
            call()
        assert told.value.errno == number
    kernel.write(entry / "inblob", DATA[:63])
    with pytest.raises(OSError, match="Invalid argument"):
        kernel.read(entry / "outblob")
    assert kernel.read(entry / "generation") == b"1\n"


# ── reports ─────────────────────────────────────────────────────────────────────────────────


def test_a_report_is_one_write_of_all_64_bytes_in_a_directory_of_its_own():
    kernel = Kernel()
    made = report(DATA, root=ROOT, files=kernel)
    assert (made.provider, made.auxiliary) == ("tdx_guest", b"")
    assert made.out[48 + 520 : 48 + 584] == DATA
    assert kernel.log == [("inblob", DATA)]
    report(DATA, root=ROOT, files=kernel)
    assert len(set(kernel.removed)) == 2 and not kernel.entries


@pytest.mark.parametrize("floor", [0, 2])
def test_snp_is_asked_at_the_lowest_level_that_it_allows(floor):
    kernel = snp(floor=floor, aux=b"certificates")
    made = report(DATA, root=ROOT, files=kernel)
    assert kernel.log == [("privlevel", f"{floor}\n".encode()), ("inblob", DATA)]
    assert (made.provider, made.auxiliary) == ("sev_guest", b"certificates")


@pytest.mark.parametrize("length", [0, 63, 65])
def test_only_64_bytes_are_reported_about(length):
    with pytest.raises(InternalError, match=f"{length} bytes"):
        report(bytes(length), root=ROOT, files=Kernel())


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EWOULDBLOCK])
def test_a_busy_kernel_is_asked_again(number):
    kernel = Kernel()
    kernel.busy = [number] * (tsm.ATTEMPTS - 1)
    assert report(DATA, root=ROOT, files=kernel).out
    kernel.busy = [number] * tsm.ATTEMPTS
    with pytest.raises(AttestationFailed, match="outblob"):
        report(DATA, root=ROOT, files=kernel)
    assert not kernel.entries


def test_other_failures_are_not_tried_again():
    kernel = Kernel()
    kernel.busy = [errno.EIO, 0]
    with pytest.raises(AttestationFailed, match="Input/output error"):
        report(DATA, root=ROOT, files=kernel)
    assert kernel.busy == [0] and not kernel.entries


def racing(entry):
    entry.inblob, entry.write_generation = bytes(64), entry.write_generation + 1


@pytest.mark.parametrize("kernel", [Kernel(), snp()])
def test_a_racing_writer_is_noticed(kernel):
    kernel.before_read = racing
    with pytest.raises(AttestationFailed, match="somebody else wrote"):
        report(DATA, root=ROOT, files=kernel)
    assert not kernel.entries


def test_a_writer_that_hides_its_write_is_noticed_by_what_is_quoted():
    kernel = Kernel()
    attester = tdx(kernel)
    kernel.before_read = lambda entry: setattr(entry, "inblob", bytes(64))
    with pytest.raises(AttestationFailed, match="other data than it was given"):
        attester.quote(DATA)
    assert not kernel.entries


@pytest.mark.parametrize(
    "kernel, because",
    [
        (Kernel(None), "No such device"),
        (Kernel("arm_cca_guest"), "driver 'arm_cca_guest'"),
        (Kernel("sev_guest", lambda data: bytes(1183)), "1183 bytes"),
    ],
)
def test_no_driver_or_another_one(kernel, because):
    with pytest.raises(AttestationFailed, match=because):
        SnpAttester(root=ROOT, files=kernel)
    assert not kernel.entries


def test_a_generation_that_is_no_number():
    kernel = Kernel()
    reading = kernel.read
    kernel.read = lambda path: b"many\n" if path.name == "generation" else reading(path)
    with pytest.raises(AttestationFailed, match="generation 'many'"):
        report(DATA, root=ROOT, files=kernel)


def test_each_attester_wants_its_own_driver():
    with pytest.raises(AttestationFailed, match="driver tdx_guest, not sev_guest"):
        SnpAttester(root=ROOT, files=Kernel())
    with pytest.raises(AttestationFailed, match="driver sev_guest, not tdx_guest"):
        tdx(snp())


# ── attesters ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("form", ["tdx-v4", "tdx-v5", "tdx-v5-td15"])
def test_a_td_attests(form):
    attester = tdx(Kernel(make=lambda data: tdx_quote(data, form)))
    assert (attester.measurement, attester.production, attester.tee) == (MRTD, True, "tdx")
    evidence = Evidence.parse(attester.quote(DATA))
    assert (evidence.report.mr_td, evidence.report.report_data) == (MRTD, DATA)
    assert len(evidence.quote) == len(tdx_quote(DATA, form)) - 70


def test_collateral_is_asked_for_at_each_quote():
    asked = iter([b"old", b"new"])
    attester = TdxAttester(lambda: next(asked), root=ROOT, files=Kernel())
    assert [unpack(attester.quote(DATA))[1] for _ in range(2)] == [b"old", b"new"]


def test_a_snp_guest_attests_with_its_certificate_table():
    attester = SnpAttester(root=ROOT, files=snp(aux=b"table"))
    assert (attester.measurement, attester.production, attester.tee) == (MRTD, True, "snp")
    assert unpack(attester.quote(DATA)) == (snp_report(DATA), b"table")


def test_a_recorded_snp_report_is_read_where_amd_writes_it():
    """That machine allowed debug, which is refused; without that bit it is read to the end."""
    recorded = vector("snp_milan_report.bin")

    def again(data, policy=recorded[0x08:0x10]):
        return recorded[:0x08] + policy + recorded[0x10:0x50] + data + recorded[0x90:]

    assert again(recorded[0x50:0x90]) == recorded
    with pytest.raises(AttestationFailed, match="debugger"):
        SnpAttester(root=ROOT, files=Kernel("sev_guest", again))
    closed = (int.from_bytes(recorded[0x08:0x10], "little") & ~(1 << 19)).to_bytes(8, "little")
    attester = SnpAttester(root=ROOT, files=Kernel("sev_guest", lambda data: again(data, closed)))
    assert attester.measurement == recorded[0x90:0xC0] != bytes(48)


def test_debug_is_refused():
    with pytest.raises(AttestationFailed, match="debugger"):
        tdx(Kernel(make=lambda data: tdx_quote(data, debug=True)))
    with pytest.raises(AttestationFailed, match="debugger"):
        SnpAttester(
            root=ROOT, files=Kernel("sev_guest", lambda data: snp_report(data, policy=0xB0000))
        )


def test_a_token_in_place_of_a_quote_is_refused_by_name():
    token = b"\xd2\x84" + bytes(9000)
    with pytest.raises(AttestationFailed, match=r"token of 9002 bytes \(CWT, DICE\)") as told:
        tdx(Kernel(make=lambda data: token))
    assert "quoting enclave" in told.value.hint


def test_a_quote_of_something_else_is_refused():
    with pytest.raises(AttestationFailed, match="malformed"):
        tdx(Kernel(make=lambda data: tdx_quote(data)[:900]))
    with pytest.raises(AttestationFailed, match="permitted"):
        raise_on_make = Kernel()
        raise_on_make.make = lambda path: (_ for _ in ()).throw(failure(errno.EPERM, path))
        tdx(raise_on_make)
