"""`moiety tee`: quotes in files, and a doctor that says what, what was found, what to do."""

import importlib
import json
import os
import re
import socket
from functools import partial

import pytest

from cli_kit import fails, moiety  # noqa: F401
from device_kit import Kernel, snp_report
from enclave_kit import About
from moiety.cli import attest, tee
from moiety.cli.tee_findings import DAY, Finding, Machine, look
from moiety.enclave.attester import Places, detect
from moiety.enclave.attester.simulation import SimulationPlatform, mr_td
from moiety.enclave.evidence import Evidence, pack, unpack
from moiety.enclave.measure import measurement
from moiety.enclave.tpm import TpmEvidence, verify_tpm
from moiety.enclave.verify import SimulationVerifier
from tpm_kit import needed, software_tpm

DATA = bytes(range(64))
NOW = 1_900_000_000


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """A machine without any hardware, whatever this one has."""
    places = Places(tmp_path / "a", tmp_path / "b", tmp_path / "c")
    monkeypatch.setattr(attest, "detect", partial(detect, places=places))


# ── quote ───────────────────────────────────────────────────────────────────────────────────


def test_a_simulated_quote_is_verified_under_the_root_that_was_made(moiety, tmp_path):
    home, out = tmp_path / "enclave", tmp_path / "quote"
    asked = ["tee", "quote", "--simulate", "--home", home, "--out", out]
    code, shown, loud = moiety(*asked, "--report-data", DATA.hex(), "--json")
    said = json.loads(shown)
    assert code == 0 and "SIMULATED" in loud
    assert (said["tee"], said["production"], said["report_data"]) == ("sim-sgx", False, DATA.hex())
    evidence = Evidence.parse(out.read_bytes())
    root = SimulationPlatform.load(home / "platform").root_der
    issued = json.loads(evidence.collateral.tcb_info)["issueDate"]
    now = int(os.stat(out).st_mtime)
    assert issued and SimulationVerifier(root).verify(evidence, About(DATA), now=now)
    assert evidence.report.measurement == measurement() == bytes.fromhex(said["measurement"])
    code, shown, _ = moiety(*asked, "--report-data", "beef")
    assert code == 0 and "sim-sgx" in shown
    assert Evidence.parse(out.read_bytes()).report.report_data == b"\xbe\xef" + bytes(62)


@pytest.mark.parametrize("form", ["tdx-v4", "tdx-v5", "tdx-v5-td15"])
def test_a_td_is_simulated_on_the_same_platform(moiety, tmp_path, form):
    out = tmp_path / "quote"
    asked = ["tee", "quote", "--simulate", "--home", tmp_path / "enclave", "--out", out]
    code, shown, _ = moiety(*asked, "--form", form, "--json")
    evidence, said = Evidence.parse(out.read_bytes()), json.loads(shown)
    assert (code, said["tee"]) == (0, "sim-tdx")
    assert evidence.report.measurement == mr_td() == bytes.fromhex(said["measurement"])


@pytest.mark.parametrize("data, because", [("xy", "not hexadecimal"), ("00" * 65, "65 bytes")])
def test_report_data_that_cannot_be_quoted(fails, tmp_path, data, because):
    said = fails(2, "tee", "quote", "--simulate", "--report-data", data, "--out", tmp_path / "q")
    assert because in said and not list(tmp_path.iterdir())


def test_without_hardware_nothing_is_simulated_unasked(fails, nowhere, tmp_path):
    home = ["--home", tmp_path / "home"]
    assert "has no hardware" in fails(5, "tee", "quote", "--out", tmp_path / "q", *home)
    assert "has no hardware" in fails(5, "enclave", "serve", *home)
    form = ["--out", tmp_path / "q", "--form", "tdx-v4"]
    assert "in its own form" in fails(2, "tee", "quote", *form)
    assert "not simulated" in fails(2, "tee", "quote", *form, "--simulate", "--tpm", "device:x")
    assert not list(tmp_path.iterdir())


def test_hardware_of_intel_needs_collateral_and_a_simulation_has_its_own(
    fails, moiety, monkeypatch, tmp_path
):
    kernel = Kernel(root=tmp_path)
    places = Places(tmp_path / "a", tmp_path, tmp_path / "c")
    monkeypatch.setattr(attest, "detect", partial(detect, places=places, files=kernel))
    asked = ["tee", "quote", "--out", tmp_path / "q"]
    assert "need Intel's collateral" in fails(2, *asked)
    gone = tmp_path / "gone.json"
    assert "gone.json: No such file" in fails(2, *asked, "--collateral", gone)
    gone.write_text("{}")
    code, shown, loud = moiety(*asked, "--collateral", gone, "--json")
    assert (code, loud, json.loads(shown)["tee"]) == (0, "", "tdx")
    assert unpack((tmp_path / "q").read_bytes())[1] == b"{}"
    assert "signs its own" in fails(2, *asked, "--simulate", "--collateral", gone)
    kernel.provider, kernel.make_report, kernel.aux = "sev_guest", snp_report, b"table"
    code, shown, _ = moiety(*asked, "--report-data", DATA.hex(), "--json")
    assert (code, json.loads(shown)["tee"]) == (0, "snp")
    assert (tmp_path / "q").read_bytes() == pack(snp_report(DATA), b"table")


def test_the_enclave_serves_by_what_is_here(moiety, monkeypatch, tmp_path):
    served = []
    verb = importlib.import_module("moiety.cli.enclave")
    monkeypatch.setattr(verb, "serve_jobs", lambda *_, attester, **__: served.append(attester))
    places = Places(tmp_path / "a", tmp_path, tmp_path / "c")
    found = partial(detect, places=places, files=Kernel(root=tmp_path))
    monkeypatch.setattr(attest, "detect", found)
    collateral = tmp_path / "collateral.json"
    collateral.write_text("{}")
    serve = ["enclave", "serve", "--home", tmp_path / "home"]
    assert moiety(*serve, "--collateral", collateral)[0] == 0
    assert not (tmp_path / "home").exists()
    assert moiety(*serve, "--simulate")[0] == 0
    assert [(each.tee, each.production) for each in served] == [("tdx", True), ("sim-sgx", False)]


def test_a_tpm_quotes_into_a_file(moiety, fails, tmp_path):
    needed()
    with software_tpm(tmp_path / "state") as where:
        code, shown, _ = moiety(
            *("tee", "quote", "--tpm", where, "--out", tmp_path / "q"),
            *("--report-data", DATA.hex(), "--json"),
        )
    said = json.loads(shown)
    found = verify_tpm(TpmEvidence.parse((tmp_path / "q").read_bytes()), DATA)
    assert (code, said["tee"], said["key"]) == (0, "tpm", found.key_sha256.hex())
    assert said["PCR 7"] == found.evidence.pcrs[7].hex()
    assert "the TPM refuses" in fails(5, "tee", "quote", "--tpm", where, "--out", tmp_path / "q")


# ── the doctor ──────────────────────────────────────────────────────────────────────────────


def seen(root, *, pccs="", collateral=None, **machine) -> dict[str, Finding]:
    machine = Machine(root=root, **{"release": "6.8.0-31-generic", **machine})
    return {each.what: each for each in look(pccs=pccs, collateral=collateral, machine=machine)}


def there(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize(
    "release, text, amiss",
    [
        ("6.8.0-31-generic", "SGX, TDX and SEV-SNP", False),
        ("6.7.0", "SGX, TDX and SEV-SNP", False),
        ("6.1.0-18-amd64", "TDX and SEV-SNP need 6.7", False),
        ("5.10.0", "5.10.0", True),
        ("odd", "odd", True),
    ],
)
def test_the_kernel(tmp_path, release, text, amiss):
    found = seen(tmp_path, release=release)["kernel"]
    assert text in found.found and bool(found.todo) == amiss


def test_an_empty_machine(tmp_path):
    found = seen(tmp_path)
    assert not any(each.proves for each in found.values())
    assert "enable SGX" in found["SGX"].todo
    assert found["TPM"].line.startswith("· TPM: none")
    assert found["AESM"].found == "not needed without SGX"
    assert found["TDX or SEV-SNP"].found == "not a machine under either"
    assert "--pccs" in found["PCCS"].todo


def test_an_sgx_host(tmp_path):
    there(tmp_path, "dev/sgx_enclave")
    found = seen(tmp_path)
    assert "no /dev/sgx_provision" in found["SGX"].found and not found["SGX"].proves
    there(tmp_path, "dev/sgx_provision")
    found = seen(tmp_path)
    assert found["SGX"].proves and "gramine-sgx" in found["Gramine"].todo
    assert "does not answer (No such file" in found["AESM"].found and "aesmd" in found["AESM"].todo
    (tmp_path / "var/run/aesmd").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "var/run/aesmd/aesm.socket"))
        door.listen()
        assert "answers" in seen(tmp_path)["AESM"].found


@pytest.mark.parametrize(
    "flags, what, todo",
    [
        ("fpu sse", "SGX", "enable SGX"),
        ("fpu sgx", "SGX", "Flexible Launch Control"),
        ("fpu sgx sgx_lc", "SGX", "CONFIG_X86_SGX"),
        ("fpu tdx_guest", "TDX or SEV-SNP", "modprobe tdx_guest"),
    ],
)
def test_what_the_processor_shows(tmp_path, flags, what, todo):
    there(tmp_path, "proc/cpuinfo")
    (tmp_path / "proc/cpuinfo").write_text(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t: none\n")
    assert todo in seen(tmp_path)[what].todo


def test_devices_that_may_not_be_opened(tmp_path, monkeypatch):
    there(tmp_path, "dev/sgx_enclave", "dev/sgx_provision", "dev/tpmrm0")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    found = seen(tmp_path)
    assert "no right to open /dev/sgx_enclave" in found["SGX"].found and not found["SGX"].proves
    assert "group tss" in found["TPM"].todo


@pytest.mark.parametrize("kind, proves", [("dcap\n", True), ("none\n", False)])
def test_inside_gramine(tmp_path, kind, proves):
    there(tmp_path, "dev/attestation/attestation_type")
    (tmp_path / "dev/attestation/attestation_type").write_text(kind)
    found = seen(tmp_path)["Gramine"]
    assert found.proves == proves and ("sgx.remote_attestation" in found.todo) != proves


def test_a_guest_is_found_by_having_a_report_made(tmp_path):
    root = tmp_path / "sys/kernel/config/tsm/report"
    root.mkdir(parents=True)
    found = seen(tmp_path, files=Kernel(root=root))["TDX"]
    assert found.proves and "tdx_guest made a report" in found.found
    found = seen(tmp_path, files=Kernel("sev_guest", snp_report, root=root))["SEV-SNP"]
    assert found.proves and "1,184 bytes" in found.found
    found = seen(tmp_path, files=Kernel(None, root=root))["TDX or SEV-SNP"]
    assert "No such device" in found.found and "load tdx_guest" in found.todo


def test_a_guest_whose_kernel_shows_no_reports(tmp_path):
    there(tmp_path, "dev/tdx_guest")
    assert "mount -t configfs" in seen(tmp_path)["TDX or SEV-SNP"].todo
    (tmp_path / "sys/kernel/config").mkdir(parents=True)
    assert "Linux 6.7" in seen(tmp_path)["TDX or SEV-SNP"].todo


def test_a_tpm_is_no_tee(tmp_path, monkeypatch):
    there(tmp_path, "dev/tpmrm0")
    for spec, text in ((None, "moiety[tpm]"), (object(), "keeps nothing")):
        monkeypatch.setattr("moiety.cli.tee_findings.find_spec", lambda name, spec=spec: spec)
        found = seen(tmp_path)["TPM"]
        assert text in found.line and not found.proves


def test_the_pccs_is_called(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as door:
        address = f"127.0.0.1:{door.getsockname()[1]}"
        assert seen(tmp_path, pccs=address)["PCCS"].found == f"answers at {address}"
        there(tmp_path, "etc/sgx_default_qcnl.conf")
        file = tmp_path / "etc/sgx_default_qcnl.conf"
        file.write_text(f'{{\n  //"pccs_url": "x"\n  "pccs_url": "https://{address}/sgx/v4/"\n}}')
        assert seen(tmp_path)["PCCS"].found == f"answers at {address}"
    assert "does not answer" in seen(tmp_path)["PCCS"].found
    assert seen(tmp_path, pccs="nonsense")["PCCS"].todo
    file.write_text("{}")
    assert "no address" in seen(tmp_path)["PCCS"].found


@pytest.mark.parametrize("days, amiss", [(0, False), (22, False), (24, True), (31, True)])
def test_collateral_grows_old(tmp_path, days, amiss):
    path = tmp_path / "collateral.json"
    path.write_bytes(collateral())
    found = seen(tmp_path, collateral=path, now=NOW + days * DAY)["collateral"]
    assert f"{days} days old, {30 - days} days left" in found.found and bool(found.todo) == amiss


def collateral():
    platform = SimulationPlatform.make(now=NOW)
    evidence = platform.evidence(DATA, bytes(32), NOW)
    return evidence[8 + int.from_bytes(evidence[:4], "little") :]


@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"tcb_info": 7}', b'{"tcb_info": "{}"}'])
def test_collateral_that_cannot_be_read(tmp_path, content):
    path = tmp_path / "collateral.json"
    if content is not None:
        path.write_bytes(content)
    found = seen(tmp_path, collateral=path)["collateral"]
    assert "cannot be read" in found.found and found.todo


def test_a_clock_that_was_never_set(tmp_path):
    assert not seen(tmp_path, now=NOW)["clock"].todo
    found = seen(tmp_path, now=0)["clock"]
    assert found.found.startswith("1970-01-01") and "set the clock" in found.todo


def test_the_verb_tells_each_finding_and_its_code(moiety, monkeypatch, tmp_path):
    monkeypatch.setattr(tee, "look", partial(look, machine=Machine(root=tmp_path)))
    code, out, _ = moiety("tee", "doctor")
    assert code == 5 and out.endswith("no TEE is usable on this machine\n")
    assert all(re.match(r"[✓✗·] [\w -]+: .+", line) for line in out.splitlines()[:-1])
    there(tmp_path, "dev/sgx_enclave", "dev/sgx_provision")
    code, out, _ = moiety("tee", "doctor", "--json")
    said = json.loads(out)
    assert (code, said["usable"]) == (0, ["SGX"])
    assert {"what", "found", "todo", "proves", "here"} == set(said["findings"][0])
    assert len(said["findings"]) == 9
