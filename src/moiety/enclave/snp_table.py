"""The certificate table that an SEV-SNP host hands to its guests, beside a report.

Entries of 24 bytes, ended by an empty one: GUID, offset, length (AMD, Guest Hypervisor
Communication Block Standardization, 56421, table for SNP Extended Guest Request). The host wrote
it: it is a convenience, and every certificate in it is checked like one from anywhere else.
"""

import struct
from uuid import UUID

from moiety.enclave.certificate import CHAIN_LIMIT, Certificate, read_certificates
from moiety.errors import AttestationFailed

CERTIFICATES = {
    UUID("63da758d-e664-4564-adc5-f4b93be8accd"): "VCEK",
    UUID("a8074bc2-a25a-483e-aae6-39c045a0b8a1"): "VLEK",
    UUID("4ab7b379-bbac-4fe4-a02f-05aef327c782"): "ASK",
    UUID("c0b406a4-a803-4952-9743-3fb6014cd0ae"): "ARK",
}
"""Entries of other kinds are passed over."""

_ENTRY = struct.Struct("<16sII")


def read_table(table: bytes) -> tuple[Certificate, ...]:
    """The certificates in a table, none for an empty one; AttestationFailed if it is malformed."""
    found: list[Certificate] = []
    for at in range(0, len(table), _ENTRY.size):
        if len(table) - at < _ENTRY.size or len(found) > CHAIN_LIMIT:
            break
        name, offset, length = _ENTRY.unpack_from(table, at)
        if not any(name):
            return tuple(found)
        if offset + length > len(table):
            raise _malformed(f"an entry ends at byte {offset + length} of {len(table)}")
        if UUID(bytes=name) in CERTIFICATES:
            found += read_certificates(table[offset : offset + length])
    if table:
        raise _malformed("its entries do not end")
    return ()


def _malformed(what: str) -> AttestationFailed:
    return AttestationFailed(
        f"the host's certificate table is malformed: {what}",
        hint="give the chain as files instead",
    )
