"""Collateral at hand: bundles, a cache, expiry, and a PCCS of our own."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enclave_kit import BINDING, DAY, MEASURED, NOW, PLATFORM, RECORDED_AT, recorded_quote, split
from moiety.enclave.attester.simulation import Scenario
from moiety.enclave.collateral import (
    Cache,
    Platform,
    choose,
    fetch,
    platform_of,
    read_bundle,
    write_bundle,
)
from moiety.enclave.quote import Quote
from moiety.errors import AttestationFailed, ConfigError, DataError, MoietyError


def simulated(issued: int) -> bytes:
    evidence = PLATFORM.evidence(BINDING.report_data, MEASURED, NOW, Scenario(issued=issued))
    return split(evidence)[1]


GOOD = simulated(NOW)


@pytest.fixture(scope="module")
def recorded_parts() -> tuple[bytes, bytes]:
    return split(recorded_quote("sgx"))[1], split(recorded_quote("tdx"))[1]


def test_a_bundle_serves_many_platforms(recorded_parts: tuple[bytes, bytes]) -> None:
    each = [read_bundle(part)[0] for part in (*recorded_parts, simulated(NOW))]
    bundle = read_bundle(write_bundle(each))
    names = [str(kept.platform) for kept in bundle]
    assert names == ["sgx-00A067110000", "tdx-B0C06F000000", "sgx-00FFFF000000"]
    for kind, wanted in (("sgx", each[0]), ("tdx", each[1])):
        quote = Quote.parse(split(recorded_quote(kind))[0])
        assert platform_of(quote) == wanted.platform
        assert choose(bundle, quote) == wanted
        assert json.loads(choose(bundle, quote).raw) == json.loads(wanted.raw)


def test_what_is_missing_is_named(recorded_parts: tuple[bytes, bytes]) -> None:
    quote = Quote.parse(split(recorded_quote("tdx"))[0])
    with pytest.raises(AttestationFailed, match="no collateral for tdx-B0C06F000000, but for sgx"):
        choose(read_bundle(recorded_parts[0]), quote)
    with pytest.raises(AttestationFailed, match="but for nothing"):
        choose((), quote)


@pytest.mark.parametrize("after, warned", [(0, ""), (22, ""), (24, "expires in 6 days")])
def test_expiry_is_told_in_days(after: int, warned: str) -> None:
    (kept,) = read_bundle(simulated(NOW))
    assert kept.days_left(NOW + after * DAY) == 30 - after
    assert warned in kept.warning(NOW + after * DAY)
    assert bool(warned) == bool(kept.warning(NOW + after * DAY))


def test_what_expired_is_told(recorded_parts: tuple[bytes, bytes]) -> None:
    (kept,) = read_bundle(recorded_parts[0])
    assert kept.days_left(RECORDED_AT) == 0
    assert "expired 10 days ago" in kept.warning(RECORDED_AT + 9 * DAY + DAY // 2)


def test_the_newest_is_chosen_and_kept(tmp_path: Path) -> None:
    older, newer = read_bundle(simulated(NOW - 5 * DAY))[0], read_bundle(simulated(NOW))[0]
    quote = Quote.parse(split(PLATFORM.evidence(bytes(64), MEASURED, NOW))[0])
    assert choose((older, newer), quote) == choose((newer, older), quote) == newer
    cache = Cache(tmp_path / "kept")
    assert cache.add([older]) == (older,)
    assert cache.add([newer]) == (newer,) and cache.add([older, newer]) == ()
    assert tuple(cache) == (newer,)
    assert [path.name for path in cache.folder.iterdir()] == ["sgx-00FFFF000000.json"]
    assert tuple(Cache(tmp_path / "absent")) == ()


@pytest.mark.parametrize("broken", ["issueDate", "nextUpdate", "fmspc", "id"])
def test_collateral_that_lacks_a_part_is_refused(broken: str) -> None:
    parts = json.loads(simulated(NOW))
    parts["tcb_info"] = parts["tcb_info"].replace(f'"{broken}"', '"other"')
    with pytest.raises(DataError, match="entry 2"):
        read_bundle(json.dumps([json.loads(simulated(NOW)), parts]).encode())


@pytest.mark.parametrize("name", ["../../etc/passwd", "00ffff00000", "00FFFF00000G"])
def test_no_name_leads_out_of_the_cache(name: str) -> None:
    with pytest.raises(AttestationFailed):
        Platform("sgx", name)
    with pytest.raises(AttestationFailed):
        Platform(name, "00FFFF000000")


@settings(max_examples=200)
@given(
    st.binary(max_size=100)
    | st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_bundle_is_read_or_refused(data: bytes) -> None:
    try:
        read_bundle(data)
    except MoietyError as error:
        assert isinstance(error, DataError)


@settings(max_examples=200)
@given(st.data())
def test_any_altered_part_is_read_or_refused(data: st.DataObject) -> None:
    parts = json.loads(GOOD)
    name = data.draw(st.sampled_from(sorted(parts)))
    at = data.draw(st.integers(0, len(parts[name]) - 1))
    parts[name] = parts[name][:at] + data.draw(st.characters()) + parts[name][at + 1 :]
    try:
        read_bundle(json.dumps(parts).encode())
    except DataError:
        return


@pytest.mark.parametrize("address", ["", "http://pccs.example.org", "pccs.example.org", "file:///"])
def test_no_pccs_is_asked_but_the_configured_one(address: str) -> None:
    quote = Quote.parse(split(PLATFORM.evidence(bytes(64), MEASURED, NOW))[0])
    with pytest.raises(ConfigError, match="not the address of a PCCS"):
        fetch(address, quote)


class Pccs(BaseHTTPRequestHandler):
    """A PCCS that answers from recorded parts, in the forms of Intel's service."""

    parts: dict[str, str]
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        headers, body = self._answer()
        self.send_response(200 if body else 404)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer(self) -> tuple[dict[str, str], bytes]:
        parts = self.parts
        chain = {name: _quoted(parts[name]) for name in parts if name.endswith("_chain")}
        if "/pckcrl" in self.path:
            name = "SGX-PCK-CRL-Issuer-Chain"
            return {name: chain["pck_crl_issuer_chain"]}, bytes.fromhex(parts["pck_crl"])
        if "/tcb" in self.path:
            body = _signed("tcbInfo", parts["tcb_info"], parts["tcb_info_signature"])
            names = ("TCB-Info-Issuer-Chain", "SGX-TCB-Info-Issuer-Chain")
            return dict.fromkeys(names, chain["tcb_info_issuer_chain"]), body
        if "/qe/identity" in self.path:
            body = _signed("enclaveIdentity", parts["qe_identity"], parts["qe_identity_signature"])
            name = "SGX-Enclave-Identity-Issuer-Chain"
            return {name: chain["qe_identity_issuer_chain"]}, body
        if "/rootcacrl" in self.path:
            return {}, parts["root_ca_crl"].encode()
        return {}, b""

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def _quoted(chain: str) -> str:
    return chain.replace("\n", "%0A").replace(" ", "%20").replace("+", "%2B")


def _signed(name: str, text: str, signature: str) -> bytes:
    return f'{{"{name}":{text},"signature":"{signature}"}}'.encode()


def test_a_configured_pccs_is_asked(recorded_parts: tuple[bytes, bytes]) -> None:
    quote = Quote.parse(split(recorded_quote("sgx"))[0])
    Pccs.parts, Pccs.asked = json.loads(recorded_parts[0]), []
    server = HTTPServer(("127.0.0.1", 0), Pccs)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        kept = fetch(f"http://127.0.0.1:{server.server_port}", quote)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert kept.platform == platform_of(quote)
    assert any("fmspc=00A067110000" in path for path in Pccs.asked)


def test_a_pccs_that_is_not_there_is_told() -> None:
    quote = Quote.parse(split(recorded_quote("sgx"))[0])
    with pytest.raises(AttestationFailed, match=r"127\.0\.0\.1 gave no collateral"):
        fetch("http://127.0.0.1:9", quote)


def test_a_revocation_list_of_another_version_is_refused() -> None:
    parts = json.loads(GOOD)
    assert "020101" in parts["pck_crl"]
    parts["pck_crl"] = parts["pck_crl"].replace("020101", "020111", 1)
    with pytest.raises(DataError, match="revocation list"):
        read_bundle(json.dumps(parts).encode())
