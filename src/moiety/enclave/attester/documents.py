"""What a simulated vendor publishes of its platforms: TCB info, QE identity, revocation lists."""

import json
from datetime import datetime
from typing import Any

from moiety.enclave.attester.authority import (
    CPU_SVN,
    PCE_SVN,
    Chain,
    as_time,
    pem_chain,
    revoke,
    sign_raw,
)
from moiety.enclave.attester.quotes import (
    ISV_PROD_ID,
    ISV_SVN,
    MODULE_SVN,
    QE_SIGNER,
    TD_QE_PROD_ID,
    TEE_TCB_SVN,
)
from moiety.enclave.attester.scenario import Scenario

COLLATERAL_LIFE = 30 * 86_400

_PARTS = ("tcb_info", "qe_identity", "root_ca_crl", "pck_crl")
_Json = dict[str, Any]
_ZEROS = {"mrsigner": "00" * 48, "attributes": "00" * 8, "attributesMask": "FF" * 8}
"""What identifies Intel's TDX modules."""


def make_collateral(chain: Chain, state: Scenario, issued: int) -> bytes:
    """The collateral of that state as JSON, valid for 30 days from `issued`."""
    by_root = [getattr(chain, name) for name in ("authority", "signer") if name in state.revoked]
    by_authority = [chain.platform] if "platform" in state.revoked else []
    since = {name: _since(state, name, issued) for name in _PARTS}
    tcb_info = _document(_tcb_info(state, since["tcb_info"]))
    qe_identity = _document(_qe_identity(state, since["qe_identity"]))
    lists = {
        "root_ca_crl": revoke(chain.root, by_root, *_life(since["root_ca_crl"])),
        "pck_crl": revoke(chain.authority, by_authority, *_life(since["pck_crl"])),
    }
    signers = pem_chain(chain.signer, chain.root).decode()
    parts = {
        "pck_crl_issuer_chain": pem_chain(chain.authority, chain.root).decode(),
        **{name: each.hex() for name, each in lists.items()},
        "tcb_info_issuer_chain": signers,
        "tcb_info": tcb_info,
        "tcb_info_signature": sign_raw(chain.signer.key, tcb_info.encode()).hex(),
        "qe_identity_issuer_chain": signers,
        "qe_identity": qe_identity,
        "qe_identity_signature": sign_raw(chain.signer.key, qe_identity.encode()).hex(),
    }
    return _document(parts).encode()


def _since(state: Scenario, name: str, issued: int) -> int:
    return issued - COLLATERAL_LIFE - 86_400 if name in state.expired else issued


def _life(since: int) -> tuple[datetime, datetime]:
    return as_time(since), as_time(since + COLLATERAL_LIFE)


def _dates(since: int) -> dict[str, str]:
    return {"issueDate": _date(since), "nextUpdate": _date(since + COLLATERAL_LIFE)}


def _tcb_info(state: Scenario, since: int) -> _Json:
    """TCB info, version 3: the level that this platform is at, below a newer one if it is stale."""
    levels = [_level(state, since, state.tcb_status, above=0, advisories=state.advisories)]
    if state.tcb_status != "UpToDate":
        levels.insert(0, _level(state, since, "UpToDate", above=1))
    names = {"id": "TDX" if state.tdx else "SGX", "version": 3, **_dates(since)}
    family = {"fmspc": state.fmspc.hex().upper(), "pceId": "0000", "tcbType": 0}
    number = {"tcbEvaluationDataNumber": state.evaluation}
    module = _modules(state, since) if state.tdx else {}
    return {**names, **family, **number, **module, "tcbLevels": levels}


def _level(
    state: Scenario, since: int, status: str, *, above: int, advisories: tuple[str, ...] = ()
) -> _Json:
    """A level whose versions are so far above the platform's."""
    tcb: _Json = {"sgxtcbcomponents": _components(CPU_SVN, above), "pcesvn": PCE_SVN}
    if state.tdx:
        tcb["tdxtcbcomponents"] = _components(TEE_TCB_SVN, above)
    dated = {"tcbDate": _date(since), "tcbStatus": status, "advisoryIDs": list(advisories)}
    return {"tcb": tcb, **dated}


def _components(versions: bytes, above: int) -> list[_Json]:
    return [{"svn": svn + above} for svn in versions]


def _modules(state: Scenario, since: int) -> _Json:
    level = {"tcb": {"isvsvn": MODULE_SVN}, "tcbDate": _date(since)}
    levels = [{**level, "tcbStatus": state.module_status}]
    identity = {"id": f"TDX_{TEE_TCB_SVN[1]:02}", **_ZEROS, "tcbLevels": levels}
    return {"tdxModule": _ZEROS, "tdxModuleIdentities": [identity]}


def _qe_identity(state: Scenario, since: int) -> _Json:
    level = {"tcb": {"isvsvn": ISV_SVN}, "tcbDate": _date(since), "tcbStatus": state.qe_status}
    names = {"id": "TD_QE" if state.tdx else "QE", "version": 2, **_dates(since)}
    masks = {
        "miscselect": "00000000",
        "miscselectMask": "FFFFFFFF",
        "attributes": "11" + "00" * 15,
        "attributesMask": "FB" + "FF" * 7 + "00" * 8,
    }
    product = TD_QE_PROD_ID if state.tdx else ISV_PROD_ID
    signer = {"mrsigner": QE_SIGNER.hex().upper(), "isvprodid": product}
    number = {"tcbEvaluationDataNumber": state.evaluation}
    return {**names, **number, **masks, **signer, "tcbLevels": [level]}


def _document(fields: _Json) -> str:
    return json.dumps(fields, separators=(",", ":"))


def _date(seconds: int) -> str:
    return as_time(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")
