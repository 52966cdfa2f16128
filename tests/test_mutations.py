"""Everything that reads others' bytes, fed with damaged good ones: it reads, or refuses in words.

MOIETY_MUTATIONS is how many each reader gets; a fault shows the seed that pytest-randomly prints.
"""

import os
import random
from collections.abc import Callable

import pytest

from enclave_kit import NOW, RECORDED_AT, recorded_quote, split, vector
from moiety.enclave.appraise import Material, appraise
from moiety.enclave.certificate import Certificate, read_certificates
from moiety.enclave.collateral import read_bundle
from moiety.enclave.ear import read_result
from moiety.enclave.policy_file import TeePolicy
from moiety.enclave.ratls import TAGGED, read_ratls
from moiety.enclave.snp import SIZE, SnpReport
from moiety.enclave.snp_table import read_table
from moiety.errors import AttestationFailed, ConfigError, DataError, MoietyError
from policy_kit import text
from ratls_kit import certificate, claims_for, interoperable, tagged
from test_appraise import MESSAGE, PRODUCTION, recorded_table
from test_ear import GOOD, KEY

MUTATIONS = int(os.environ.get("MOIETY_MUTATIONS", "300"))


def damaged(data: bytes) -> bytes:
    """The data with one to sixteen faults: other bytes, flipped bits, cuts, insertions, copies."""
    found = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 4, 16))):
        at = random.randrange(len(found) + 1)
        fault = random.randrange(5)
        if fault == 0:
            found[at : at + 1] = random.randbytes(1)
        elif fault == 1 and at < len(found):
            found[at] ^= 1 << random.randrange(8)
        elif fault == 2:
            del found[at : at + random.randrange(1, 20)]
        elif fault == 3:
            found[at:at] = random.randbytes(random.randrange(1, 9))
        else:
            start = random.randrange(len(found) + 1)
            found[at:at] = found[start : start + random.randrange(1, 60)]
    return bytes(found)


def any_certificate() -> bytes:
    files = ("snp_milan_vcek.der", "snp_milan_ask_ark.pem", "ratls_gramine_cert.pem")
    recorded = [each.der for name in files for each in read_certificates(vector(name))]
    return damaged(random.choice([*recorded, interoperable()]))


def any_extension() -> None:
    claims = random.choice((claims_for(), damaged(claims_for())))
    value = damaged(tagged(claims, b"quote"))
    read_ratls(Certificate.parse(certificate({TAGGED: value})))


def any_evidence() -> None:
    whole = random.choice([MESSAGE, vector("snp_milan_report.bin"), vector("tdx_quote")])
    material = Material(read_bundle(split(recorded_quote("tdx"))[1]))
    appraise(damaged(whole), material, PRODUCTION, now=RECORDED_AT)


READERS: dict[str, tuple[Callable[[], object], type[MoietyError]]] = {
    "certificate": (lambda: read_certificates(any_certificate()), AttestationFailed),
    "ratls": (lambda: read_ratls(read_certificates(any_certificate())[0]), AttestationFailed),
    "extension": (any_extension, AttestationFailed),
    "report": (
        lambda: SnpReport.parse(damaged(vector("snp_milan_report.bin"))[:SIZE].ljust(SIZE, b"\0")),
        AttestationFailed,
    ),
    "table": (lambda: read_table(damaged(recorded_table())), AttestationFailed),
    "bundle": (lambda: read_bundle(damaged(split(recorded_quote("sgx"))[1])), DataError),
    "policy": (lambda: TeePolicy.parse(damaged(text().encode()), "policy"), ConfigError),
    "token": (
        lambda: read_result(damaged(GOOD.encode()).decode("latin1"), KEY.public, now=NOW),
        AttestationFailed,
    ),
    "evidence": (any_evidence, AttestationFailed),
}


@pytest.mark.parametrize("reader", READERS)
def test_damaged_bytes_are_read_or_refused(reader: str) -> None:
    read, refusal = READERS[reader]
    refused = 0
    for _ in range(MUTATIONS):
        try:
            read()
        except refusal:
            refused += 1
    assert reader == "evidence" or refused > MUTATIONS // 10
