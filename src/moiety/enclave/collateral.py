"""Collateral at hand: files, bundles, a cache, and a PCCS that somebody chose.

What is kept is what the vendor signed; whoever kept or sent it can at worst make a verifier refuse,
or, within the dates, judge by older data: policies bound its age. So nothing here is checked but
its form; `verify` checks every part. There is no address that is asked by default.
"""

import asyncio
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import dcap_qvl
from cryptography import x509

from moiety.enclave.evidence import COLLATERAL_LIMIT, Collateral, parse_collateral
from moiety.enclave.quote import TDX_TEE_TYPE, Quote
from moiety.errors import AttestationFailed, ConfigError, DataError
from moiety.wire.certificates import UNREADABLE

SOON = 7
"""Days before its expiry from which collateral is warned about."""
BUNDLE_LIMIT = 64 << 20
DAY = 86_400

_FAMILY = re.compile("[0-9A-F]{12}")


@dataclass(frozen=True)
class Platform:
    """Whose collateral: the kind of environment, and the processor family (FMSPC, hexadecimal)."""

    tee: str
    family: str

    def __post_init__(self) -> None:
        if self.tee not in ("sgx", "tdx") or not _FAMILY.fullmatch(self.family):
            raise AttestationFailed(f"collateral for {self.tee!r}, family {self.family!r}")

    def __str__(self) -> str:
        return f"{self.tee}-{self.family}"


@dataclass(frozen=True)
class Kept:
    """One platform's collateral as JSON; `issued` and `expires` in seconds since 1970."""

    platform: Platform
    issued: int
    expires: int
    raw: bytes = field(repr=False)

    def days_left(self, now: int) -> int:
        """Whole days until a first part of it expires; negative when one has."""
        return (self.expires - now) // DAY

    def warning(self, now: int) -> str:
        """What to do about it soon, in a sentence; empty where it is fresh."""
        left = self.days_left(now)
        if left < 0:
            return f"collateral for {self.platform} expired {-left} days ago: get it anew"
        return f"collateral for {self.platform} expires in {left} days" if left < SOON else ""


def read_bundle(data: bytes) -> tuple[Kept, ...]:
    """The collateral in a file: one JSON object of nine parts, or a list of them.

    Raises:
        DataError: it is none; the sentence says which entry.
    """
    if len(data) > BUNDLE_LIMIT:
        raise DataError(f"a bundle of {len(data)} bytes, above {BUNDLE_LIMIT}")
    try:
        found = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DataError("the bundle is not JSON in UTF-8") from error
    entries = found if isinstance(found, list) else [found]
    return tuple(_keep(number, entry) for number, entry in enumerate(entries, 1))


def write_bundle(kept: Iterable[Kept]) -> bytes:
    """One file for many platforms, as `read_bundle` reads it."""
    return b"[" + b",\n".join(each.raw for each in kept) + b"]\n"


def platform_of(quote: Quote) -> Platform:
    """Whose collateral a quote needs; AttestationFailed if its certificate does not say."""
    try:
        family = dcap_qvl.parse_quote(quote.raw).fmspc()
    except ValueError as error:
        raise AttestationFailed(f"the quote's platform cannot be read: {error}") from error
    return Platform("tdx" if quote.header.tee_type == TDX_TEE_TYPE else "sgx", family.upper())


def choose(kept: Iterable[Kept], quote: Quote) -> Kept:
    """The collateral for a quote's platform, of several the one that was issued last.

    Raises:
        AttestationFailed: there is none for it.
    """
    wanted, among = platform_of(quote), tuple(kept)
    fitting = [each for each in among if each.platform == wanted]
    if not fitting:
        there = ", ".join(sorted({str(each.platform) for each in among})) or "nothing"
        raise AttestationFailed(
            f"there is no collateral for {wanted}, but for {there}",
            hint="get it from your PCCS, or import a bundle that has it",
        )
    return max(fitting, key=lambda each: each.issued)


@dataclass(frozen=True)
class Cache:
    """A folder with one file for each platform."""

    folder: Path

    def add(self, kept: Iterable[Kept]) -> tuple[Kept, ...]:
        """Keeps what is newer than what is there; returns that."""
        there = {each.platform: each for each in self}
        newer = [
            each
            for each in kept
            if each.platform not in there or there[each.platform].issued < each.issued
        ]
        self.folder.mkdir(parents=True, exist_ok=True)
        for each in newer:
            path = self.folder / f"{each.platform}.json"
            partial = path.with_suffix(".partial")
            partial.write_bytes(each.raw)
            partial.replace(path)
        return tuple(newer)

    def __iter__(self) -> Iterator[Kept]:
        for path in sorted(self.folder.glob("*.json")):
            try:
                yield from read_bundle(path.read_bytes())
            except DataError as error:
                raise DataError(f"{path}: {error}", hint="remove it, and get it anew") from error


def fetch(pccs: str, quote: Quote) -> Kept:
    """The collateral for a quote, from the PCCS at this address: `https:`, or `http:` on this host.

    The PCCS learns which processor is asked about.

    Raises:
        ConfigError: it is not such an address.
        AttestationFailed: it does not answer, or not with collateral.
    """
    parts = urlsplit(pccs)
    local = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise ConfigError(
            f"'{pccs}' is not the address of a PCCS", hint="for instance https://pccs.example.org"
        )
    try:
        answer = asyncio.run(_ask(pccs, quote.raw))
    except (ValueError, RuntimeError, OSError) as error:
        raise AttestationFailed(
            f"{parts.hostname} gave no collateral: {error}", hint="is the PCCS up, and reachable?"
        ) from error
    return _keep(1, json.loads(answer.to_json()))


async def _ask(pccs: str, raw: bytes) -> dcap_qvl.QuoteCollateralV3:
    return await dcap_qvl.get_collateral(pccs, raw)


def _keep(number: int, entry: Any) -> Kept:
    raw = json.dumps(entry).encode()
    try:
        if len(raw) > COLLATERAL_LIMIT:
            raise ValueError
        parts = parse_collateral(raw)
        signed = [json.loads(text) for text in (parts.tcb_info, parts.qe_identity)]
        platform = Platform(signed[0]["id"].lower(), signed[0]["fmspc"].upper())
        begin = [_seconds(each["issueDate"]) for each in signed]
        end = [_seconds(each["nextUpdate"]) for each in signed]
    except (*_FAULTS, AttestationFailed) as error:
        raise DataError(
            f"entry {number} of the bundle is not collateral",
            hint="an entry has the nine parts that a quote provider gives, as JSON",
        ) from error
    return Kept(platform, min(begin), min(end + _crl_ends(parts)), raw)


_FAULTS = (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError)


def _seconds(date: str) -> int:
    return int(datetime.fromisoformat(date).timestamp())


def _crl_ends(parts: Collateral) -> list[int]:
    """When the revocation lists must be renewed."""
    lists = (parts.root_ca_crl, parts.pck_crl)
    try:
        ends = [x509.load_der_x509_crl(each).next_update_utc for each in lists]
    except UNREADABLE as error:
        raise DataError("a revocation list in the bundle cannot be read") from error
    return [int(end.timestamp()) for end in ends if end is not None]
