"""Looking for secrets where they must not be: in the memory of processes, core files, any bytes."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

PAGE = os.sysconf("SC_PAGE_SIZE")
PRESENT, OF_A_FILE = np.uint64(3 << 62), np.uint64(1 << 61)
UNREADABLE = ("[vvar]", "[vvar_vclock]", "[vsyscall]")
"""Pages of the kernel that debuggers cannot read either."""
CHUNK, OVERLAP = 1 << 23, 1 << 16


# ── images ──────────────────────────────────────────────────────────────────────────────────


def memory_refused() -> str | None:
    """Why this process may not read its children's memory; None if it may."""
    if not sys.platform.startswith("linux"):
        return "memory images are read from Linux's /proc"
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        try:
            memory_image(child.pid)
        except OSError as error:
            return f"this system does not let a process read its children's memory ({error})"
        finally:
            child.kill()
    return None


def memory_image(pid: int) -> np.ndarray:
    """All that a process holds in readable memory, whole pages; it should stand still meanwhile.

    Stack, heap, shared and anonymous mappings, changed pages of libraries. Left out are pages never
    touched, and pages that a mapping still shares with its file: they are that file's bytes.
    """
    with (
        open(f"/proc/{pid}/mem", "rb", buffering=0) as memory,
        open(f"/proc/{pid}/pagemap", "rb", buffering=0) as pagemap,
    ):
        spans = [
            span
            for begin, end, name in _mappings(pid)
            for span in _own_pages(pagemap.fileno(), begin, end, name)
        ]
        return _read(memory.fileno(), spans)


def _mappings(pid: int) -> Iterator[tuple[int, int, str]]:
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        span, access, _, _, _, *rest = line.split(maxsplit=5)
        name = "".join(rest)
        if access.startswith("r") and name not in UNREADABLE:
            begin, end = (int(part, 16) for part in span.split("-"))
            yield begin, end, name


def _own_pages(pagemap: int, begin: int, end: int, name: str) -> Iterator[tuple[int, int]]:
    """Address and size of what a mapping does not share with a file, run by run of pages."""
    entries = os.pread(pagemap, (end - begin) // PAGE * 8, begin // PAGE * 8)
    flags = np.frombuffer(entries, np.uint64)
    own = (flags & PRESENT) != 0
    if name.startswith("/") and Path(name).is_file():
        own &= (flags & OF_A_FILE) == 0
    edges = np.flatnonzero(np.diff(np.concatenate([[False], own, [False]])))
    for first, last in edges.reshape(-1, 2).tolist():
        yield begin + first * PAGE, (last - first) * PAGE


def core_image(path: Path) -> np.ndarray:
    """What a core file holds, without its holes."""
    with path.open("rb") as file:
        return _read(file.fileno(), list(_stored(file.fileno(), path.stat().st_size)))


def _stored(file: int, size: int) -> Iterator[tuple[int, int]]:
    end = 0
    while end < size:
        begin = os.lseek(file, end, os.SEEK_DATA)
        end = os.lseek(file, begin, os.SEEK_HOLE)
        yield begin, end - begin


def _read(source: int, spans: list[tuple[int, int]]) -> np.ndarray:
    image, at = np.empty(sum(size for _, size in spans), np.uint8), 0
    for begin, size in spans:
        got = 0
        while got < size:
            got += os.preadv(source, [image[at + got : at + size]], begin + got)
        at += size
    return image


def bytes_image(data: bytes | bytearray) -> np.ndarray:
    """Any bytes as an image."""
    return np.frombuffer(bytes(data), np.uint8)


def written_files(pid: int) -> list[Path]:
    """The regular files that a process has open for writing."""
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        facts = Path(f"/proc/{pid}/fdinfo/{link.name}").read_text()
        flags = int(facts.split("flags:")[1].split()[0], 8)
        target = os.readlink(link)
        if target.startswith("/") and not target.startswith("/dev/") and flags & os.O_ACCMODE:
            found.append(Path(target))
    return found


# ── search ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Needle:
    """Bytes to search for: at least 7 for any alignment, 8 if only where words are `aligned`.

    If `wide`, they are searched for also as the low bytes of 4-byte and of 8-byte integers or
    characters in a row.
    """

    secret: str
    form: str
    data: bytes = field(repr=False)
    wide: bool = False
    aligned: bool = False


class Search:
    """Finds which of many needles are in an image, in a few passes over it.

    A needle, wherever it lies, covers aligned words of the image. For each alignment one of its
    words is looked for; where it is, the whole needle is compared.
    """

    def __init__(self, needles: Sequence[Needle]) -> None:
        wide = [needle for needle in needles if needle.wide]
        self._lanes = {1: _passes(needles), 4: _passes(wide), 8: _passes(wide)}

    def __call__(self, image: np.ndarray) -> set[Needle]:
        """The needles that are in the image."""
        found = set()
        for begin in range(0, image.size, CHUNK):
            part = image[begin : begin + CHUNK + OVERLAP]
            part = np.concatenate([part, np.zeros(-part.size % 64, np.uint8)])
            for width, passes in self._lanes.items():
                lanes = np.ascontiguousarray(part.reshape(-1, width).T).reshape(-1)
                found = found.union(*(one.find(lanes) for one in passes))
        return found


def _passes(needles: Sequence[Needle]) -> list["_Pass"]:
    """One for needles that cover a word of 8 bytes anyhow, one for those that cover one of 4."""
    long = [needle for needle in needles if needle.aligned or len(needle.data) >= 15]
    short = [needle for needle in needles if not needle.aligned and len(needle.data) < 15]
    passes = ((np.uint64, long), (np.uint32, short))
    return [_Pass(kind, some) for kind, some in passes if some]


class _Pass:
    """Needles whose first hint is an aligned word of one kind."""

    def __init__(self, kind: type, needles: Sequence[Needle]) -> None:
        self._kind, self._size = kind, np.dtype(kind).itemsize
        keys = [(*key, one) for one in needles for key in _keys(one, self._size)]
        self._keys = np.array([key for key, _, _ in keys], kind)
        self._origins = [(at, one) for _, at, one in keys]
        self._seen = np.zeros(1 << 20, np.bool_)
        self._seen[_mix(self._keys)] = True

    def find(self, image: np.ndarray) -> set[Needle]:
        words, found = image.view(self._kind), set()
        places = np.flatnonzero(self._seen[_mix(words)])
        places = places[np.argsort(words[places], kind="stable")]
        hits = words[places]
        begins, ends = (np.searchsorted(hits, self._keys, side) for side in ("left", "right"))
        for n in np.flatnonzero(begins < ends).tolist():
            at, needle = self._origins[n]
            starts = places[begins[n] : ends[n]] * self._size - at
            if needle not in found and _holds(image, starts, needle.data):
                found.add(needle)
        return found


def _keys(needle: Needle, size: int) -> Iterator[tuple[int, int]]:
    """For each alignment the needle's word whose bytes differ most, and its offset."""
    data = needle.data
    for phase in range(1 if needle.aligned else size):
        words = [(data[at : at + size], at) for at in range(phase, len(data) - size + 1, size)]
        word, at = min(words, key=lambda pair: sum(n * n for n in Counter(pair[0]).values()))
        yield int.from_bytes(word, sys.byteorder), at


def _mix(words: np.ndarray) -> np.ndarray:
    """Twenty bits of each word, well mixed."""
    return (words.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(44)


def _holds(image: np.ndarray, starts: np.ndarray, data: bytes) -> bool:
    """Whether the data begin at one of these places. Zeros, which are common, are compared last."""
    wanted = np.frombuffer(data, np.uint8)
    starts = starts[(starts >= 0) & (starts <= image.size - wanted.size)]
    for at in np.argsort(wanted == 0, kind="stable"):
        starts = starts[image[starts + at] == wanted[at]]
        if not starts.size:
            return False
    return True
