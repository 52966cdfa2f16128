"""Policy files for tests: one that admits what the tests' evidence is, and ways to change it."""

import hashlib
from pathlib import Path

from enclave_kit import MEASURED, PLATFORM
from moiety.agreement.signing import SigningKey
from moiety.enclave.policy_signing import sign_policy

KEYS = tuple(SigningKey.create() for _ in range(3))
ROOT = hashlib.sha256(PLATFORM.root_der).digest()
_REGISTERS = {
    "mr_td": "91eb2b44d141d4ece09f0c75c2c53d247a3c68edd7fafe8a3520c942a604a407"
    "de03ae6dc5f87f27428b2538873118b7",
    "rtmr0": "44c0197b39157fdd7a4dcc44767f9d6b0bb3977c7a8e347b8492f827fe9d9e5c"
    "48aca29b220b80b6a540cf994b9bc9c0",
    "rtmr1": "0084452c01668329d4bc06acdf58a7205c26743304509973949e5619bf81a6a7"
    "aea8c323c173019b3093d54e579e9378",
    "rtmr2": "d833feef2cd945148aa38ead2c53e9b7f138190aaaebfc551dccd829fc207aa3"
    "ba80b70870d7330733642e01d48c3132",
    "rtmr3": "00" * 48,
}
_LAUNCHED = (
    "b07af9620f3b839b47996422ddec6058338951d984e312115131ea82705eaf5b"
    "6bdf8a9ece31a5a608eb0cf2e4872b01"
)
TDX_MACHINE = "[tdx.machines.recorded]\n" + "".join(
    f'{name} = "{value}"\n' for name, value in _REGISTERS.items()
)
RECORDED = f"""
[dcap]
tcb_statuses = ["UpToDate", "ConfigurationAndSWHardeningNeeded"]
accepted_advisories = ["INTEL-SA-00289", "INTEL-SA-00615"]
accepted_platform = ["dynamic_platform", "cached_keys", "smt_enabled"]
min_tcb_evaluation = 17
max_collateral_days = 31
ppids = ["any"]

[sgx]
measurements = ["33d8736db756ed4997e04ba358d27833188f1932ff7b1d156904d3f560452fbb"]
{TDX_MACHINE}
[snp]
measurements = ["{_LAUNCHED}"]
chip_ids = ["any"]
accepted_platform = ["smt_enabled"]

[snp.min_tcb]
boot_loader = 2
tee = 0
snp = 5
microcode = 68
"""
"""Admits the recorded SGX and TDX quotes; the recorded SEV-SNP report but for its debug bit."""
SIMULATED = f"""
[dcap]
tcb_statuses = ["UpToDate"]
min_tcb_evaluation = 1
max_collateral_days = 30
ppids = ["any"]

[sgx]
measurements = ["{MEASURED.hex()}"]

[simulation]
root_sha256 = "{ROOT.hex()}"
protects_nothing = true
"""
"""Admits the tests' simulated platform."""


def text(
    body: str = RECORDED,
    *,
    production: bool = True,
    tees: str = '"sgx", "tdx", "snp"',
    threshold: int = 2,
    keys: tuple[SigningKey, ...] = KEYS,
) -> str:
    """A policy with a body."""
    signers = ", ".join(f'"{key.public}"' for key in keys)
    return f"""
version = 1
name = "lending"
production = {str(production).lower()}
signers = [{signers}]
threshold = {threshold}
tees = [{tees}]
{body}"""


def signed(path: Path, source: str, keys: tuple[SigningKey, ...] = KEYS[:2]) -> Path:
    """The policy in a file, signed by these keys."""
    path.write_text(source, encoding="utf-8")
    for key in keys:
        sign_policy(path, key)
    return path
