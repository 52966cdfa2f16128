"""What a simulated vendor and platform write: quotes, TCB info, QE identity, revocation lists."""

import hashlib
import json
import secrets
import struct
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from moiety.enclave.attester.authority import (
    CPU_SVN,
    FMSPC,
    PCE_SVN,
    Chain,
    as_time,
    pem_chain,
    public_point,
    revoke,
    sign_raw,
)
from moiety.enclave.quote import PCK_CHAIN, SGX_QUOTE_VERSION, SGX_TEE_TYPE
from moiety.enclave.verify import SIMULATION_NAME

COLLATERAL_LIFE = 30 * 86_400
INTEL_QE = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
ISV_PROD_ID = 1
ISV_SVN = 1
MR_SIGNER = hashlib.sha256(f"{SIMULATION_NAME} signer".encode()).digest()
QE_SIGNER = hashlib.sha256(f"{SIMULATION_NAME} quoting enclave".encode()).digest()

_ECDSA_P256 = 2
_INITIALISED, _DEBUG, _64_BIT, _PROVISIONING = 0x01, 0x02, 0x04, 0x10


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """The state that a platform pretends to be in; the default is a healthy one.

    `revoked` names holders (`authority`, `platform`, `signer`) in the revocation lists. `issued` is
    when the collateral was issued, in seconds since 1970; it lives 30 days, and is new if None.
    """

    tcb_status: str = "UpToDate"
    advisories: tuple[str, ...] = ()
    revoked: frozenset[str] = frozenset()
    issued: int | None = None
    debug: bool = False
    qe_vendor_id: bytes = INTEL_QE


HEALTHY = Scenario()


def make_quote(chain: Chain, report_data: bytes, mr_enclave: bytes, state: Scenario) -> bytes:
    """An SGX quote, version 3, signed by a fresh attestation key that the platform vouches for."""
    vendor = (1, 1, state.qe_vendor_id, b"")
    header = struct.pack("<HHIHH16s20s", SGX_QUOTE_VERSION, _ECDSA_P256, SGX_TEE_TYPE, *vendor)
    flags = _INITIALISED | _64_BIT | (_DEBUG if state.debug else 0)
    signed = header + _report(mr_enclave, MR_SIGNER, report_data, flags)
    key = ec.generate_private_key(ec.SECP256R1())
    point, auth = public_point(key), secrets.token_bytes(32)
    about_key = hashlib.sha256(point + auth).digest()
    qe_measured = hashlib.sha256(QE_SIGNER).digest()
    qe_report = _report(qe_measured, QE_SIGNER, about_key, _INITIALISED | _PROVISIONING)
    certificates = pem_chain(chain.platform, chain.authority, chain.root)
    signature = b"".join(
        (
            sign_raw(key, signed) + point,
            qe_report + sign_raw(chain.platform.key, qe_report),
            struct.pack("<H", len(auth)) + auth,
            struct.pack("<HI", PCK_CHAIN, len(certificates)) + certificates,
        )
    )
    return signed + struct.pack("<I", len(signature)) + signature


def make_collateral(chain: Chain, state: Scenario, issued: int) -> bytes:
    """The collateral of that state as JSON, valid for 30 days from `issued`."""
    since, until = as_time(issued), as_time(issued + COLLATERAL_LIFE)
    by_root = [getattr(chain, name) for name in ("authority", "signer") if name in state.revoked]
    by_authority = [chain.platform] if "platform" in state.revoked else []
    dates = {"issueDate": _date(issued), "nextUpdate": _date(issued + COLLATERAL_LIFE)}
    tcb_info, qe_identity = _tcb_info(state, dates), _qe_identity(dates)
    signers = pem_chain(chain.signer, chain.root).decode()
    parts = {
        "pck_crl_issuer_chain": pem_chain(chain.authority, chain.root).decode(),
        "root_ca_crl": revoke(chain.root, by_root, since, until).hex(),
        "pck_crl": revoke(chain.authority, by_authority, since, until).hex(),
        "tcb_info_issuer_chain": signers,
        "tcb_info": tcb_info,
        "tcb_info_signature": sign_raw(chain.signer.key, tcb_info.encode()).hex(),
        "qe_identity_issuer_chain": signers,
        "qe_identity": qe_identity,
        "qe_identity_signature": sign_raw(chain.signer.key, qe_identity.encode()).hex(),
    }
    return _document(parts).encode()


def _report(mr_enclave: bytes, mr_signer: bytes, report_data: bytes, flags: int) -> bytes:
    """A report body of 384 bytes; `struct` pads what is short with zeros."""
    attributes = bytes([flags])
    measured = (mr_enclave, b"", mr_signer, b"", ISV_PROD_ID, ISV_SVN, b"", report_data)
    return struct.pack("<16sI28s16s32s32s32s96sHH60s64s", CPU_SVN, 0, b"", attributes, *measured)


def _tcb_info(state: Scenario, dates: dict[str, str]) -> str:
    components = [{"svn": svn} for svn in CPU_SVN]
    level = {
        "tcb": {"sgxtcbcomponents": components, "pcesvn": PCE_SVN},
        "tcbDate": dates["issueDate"],
        "tcbStatus": state.tcb_status,
        "advisoryIDs": list(state.advisories),
    }
    names = {"id": "SGX", "version": 3, **dates, "fmspc": FMSPC.hex().upper(), "pceId": "0000"}
    return _document(
        {**names, "tcbType": 0, "tcbEvaluationDataNumber": 1, "tcbLevels": [level]},
    )


def _qe_identity(dates: dict[str, str]) -> str:
    level = {"tcb": {"isvsvn": ISV_SVN}, "tcbDate": dates["issueDate"], "tcbStatus": "UpToDate"}
    names = {"id": "QE", "version": 2, **dates, "tcbEvaluationDataNumber": 1}
    masks = {
        "miscselect": "00000000",
        "miscselectMask": "FFFFFFFF",
        "attributes": "11" + "00" * 15,
        "attributesMask": "FB" + "FF" * 7 + "00" * 8,
    }
    signer = {"mrsigner": QE_SIGNER.hex().upper(), "isvprodid": ISV_PROD_ID}
    return _document({**names, **masks, **signer, "tcbLevels": [level]})


def _document(fields: dict[str, Any]) -> str:
    return json.dumps(fields, separators=(",", ":"))


def _date(seconds: int) -> str:
    return as_time(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")
