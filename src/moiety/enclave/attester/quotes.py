"""What a simulated platform signs: SGX quotes of version 3, TDX quotes of versions 4 and 5."""

import hashlib
import secrets
import struct
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from moiety.enclave.attester.authority import CPU_SVN, Chain, pem_chain, public_point, sign_raw
from moiety.enclave.attester.scenario import MR_SIGNER, Form, Scenario
from moiety.enclave.quote import (
    PCK_CHAIN,
    QE_CERTIFICATION,
    SGX_QUOTE_VERSION,
    SGX_TEE_TYPE,
    TD_REPORT_10,
    TD_REPORT_15,
    TDX_TEE_TYPE,
)
from moiety.enclave.verify import SIMULATION_NAME

ISV_PROD_ID = 1
ISV_SVN = 1
TD_QE_PROD_ID = 2
QE_SIGNER = hashlib.sha256(f"{SIMULATION_NAME} quoting enclave".encode()).digest()
MODULE_SVN = 3
TEE_TCB_SVN = bytes([MODULE_SVN, 1]) + bytes([1] * 14)
"""The TDX module's security version, its major version, then the platform's components."""

_ECDSA_P256 = 2
_INITIALISED, _DEBUG, _64_BIT, _PROVISIONING = 0x01, 0x02, 0x04, 0x10
_SEPT_VE_DISABLE = 1 << 28
_XFAM = bytes.fromhex("e702060000000000")


@dataclass(frozen=True)
class _Layout:
    """How a form is laid out: versions of quote and TD report."""

    version: int
    tee_type: int
    body: int = 0
    """The type of body that a quote of version 5 names."""


_LAYOUTS: dict[Form, _Layout] = {
    "sgx-v3": _Layout(SGX_QUOTE_VERSION, SGX_TEE_TYPE),
    "tdx-v4": _Layout(4, TDX_TEE_TYPE),
    "tdx-v5": _Layout(5, TDX_TEE_TYPE, TD_REPORT_10),
    "tdx-v5-td15": _Layout(5, TDX_TEE_TYPE, TD_REPORT_15),
}


def make_quote(chain: Chain, report_data: bytes, measured: bytes, state: Scenario) -> bytes:
    """A quote signed by a fresh attestation key that the platform vouches for."""
    layout = _LAYOUTS[state.form]
    vendor = (layout.version, _ECDSA_P256, layout.tee_type, 1, 1, state.qe_vendor_id, b"")
    signed = struct.pack("<HHIHH16s20s", *vendor) + _body(layout, report_data, measured, state)
    key = ec.generate_private_key(ec.SECP256R1())
    point = public_point(key)
    certified = _certified(chain, point, TD_QE_PROD_ID if state.tdx else ISV_PROD_ID)
    if state.tdx:
        certified = struct.pack("<HI", QE_CERTIFICATION, len(certified)) + certified
    signature = sign_raw(key, signed) + point + certified
    return signed + struct.pack("<I", len(signature)) + signature


def _body(layout: _Layout, report_data: bytes, measured: bytes, state: Scenario) -> bytes:
    if not state.tdx:
        flags = _INITIALISED | _64_BIT | (_DEBUG if state.debug else 0)
        return _enclave_report(measured, MR_SIGNER, report_data, flags, ISV_PROD_ID)
    report = _td_report(measured, report_data, state.debug)
    if layout.body == TD_REPORT_15:
        report += TEE_TCB_SVN + bytes(48)
    return (struct.pack("<HI", layout.body, len(report)) if layout.body else b"") + report


def _certified(chain: Chain, point: bytes, prod_id: int) -> bytes:
    """The quoting enclave's report about a key, as the platform signs it, and its chain."""
    auth = secrets.token_bytes(32)
    about_key = hashlib.sha256(point + auth).digest()
    measured = hashlib.sha256(QE_SIGNER).digest()
    report = _enclave_report(measured, QE_SIGNER, about_key, _INITIALISED | _PROVISIONING, prod_id)
    certificates = pem_chain(chain.platform, chain.authority, chain.root)
    return b"".join(
        (
            report + sign_raw(chain.platform.key, report),
            struct.pack("<H", len(auth)) + auth,
            struct.pack("<HI", PCK_CHAIN, len(certificates)) + certificates,
        )
    )


def _enclave_report(
    mr_enclave: bytes, mr_signer: bytes, report_data: bytes, flags: int, prod_id: int
) -> bytes:
    """A report body of 384 bytes; `struct` pads what is short with zeros."""
    attributes = bytes([flags])
    measured = (mr_enclave, b"", mr_signer, b"", prod_id, ISV_SVN, b"", report_data)
    return struct.pack("<16sI28s16s32s32s32s96sHH60s64s", CPU_SVN, 0, b"", attributes, *measured)


def _td_report(mr_td: bytes, report_data: bytes, debug: bool) -> bytes:
    """A TD report 1.0 of 584 bytes, with runtime registers that nothing was measured into."""
    attributes = (_SEPT_VE_DISABLE | debug).to_bytes(8, "little")
    seam = TEE_TCB_SVN + bytes(48 + 48 + 8)
    return seam + attributes + _XFAM + mr_td + bytes(3 * 48 + 4 * 48) + report_data
