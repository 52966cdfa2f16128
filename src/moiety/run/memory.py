"""Memory that is freed stays with the process: fresh pages cost more than the kernels."""

import ctypes
import sys

_TOP_PAD, _TRIM, _MMAP = -2, -1, -4
_KEPT = 1 << 30


def keep() -> None:
    """Tells the C library so, where it is the GNU one; for processes that compute on shares."""
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        for option, value in ((_MMAP, 0), (_TRIM, _KEPT), (_TOP_PAD, 1 << 26)):
            libc.mallopt(option, value)
