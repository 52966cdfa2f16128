"""The Rust kernels. All release the interpreter while they compute.

Arrays are C-contiguous and aligned, of exactly the dtype named (TypeError otherwise). Every other
refusal is a ValueError that names the argument, never a secret.
"""

from collections.abc import Sequence
from typing import final

import numpy as np
import numpy.typing as npt

def stream(key: bytes, stream_id: int, offset_bytes: int, out: npt.NDArray[np.uint8]) -> None:
    """Writes bytes `offset_bytes` onwards of a keystream to `out`.

    Block j of stream s is AES-128(key, s || j), both as 64-bit little-endian words; a key has 16
    bytes. Streams of one key never overlap; any range may be produced at any time.
    """

def matmul_u64(
    a: npt.NDArray[np.uint64], b: npt.NDArray[np.uint64], threads: int = 1
) -> np.ndarray[tuple[int, int], np.dtype[np.uint64]]:
    """The matrix product a (m × k) · b (k × n) mod 2^64, in time that depends on shapes alone."""

def pack_words(x: npt.NDArray[np.uint64], bits: int) -> bytes:
    """The low `bits` bits of each word (1 to 64), little-endian, in ⌈n · bits / 8⌉ bytes."""

def unpack_words(data: bytes, n: int, bits: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """The `n` words in `data`; the length must fit and the bits after the last word be zero."""

def cpu_features() -> dict[str, str]:
    """The code path of `matmul`, `stream` and `curve` on this processor.

    With MOIETY_PORTABLE=1 in the environment, the first two use no vector code of ours; results are
    the same. The crates `aes` and `curve25519-dalek` choose for themselves in either case.
    """

@final
class PsiKey:
    """A secret exponent k of ristretto255 (RFC 9496), wiped when dropped, never shown or exported.

    Time does not depend on k.
    """

    @staticmethod
    def random() -> PsiKey:
        """A fresh key from the operating system's randomness; OSError if there is none."""

    def blind(
        self, items: Sequence[bytes], domain: bytes, threads: int = 1
    ) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
        """Each item's k · H(item), encoded, n × 32, in order.

        H is the hash to group of RFC 9497 (ristretto255-SHA512) with the context string
        "moiety-psi-v1-ristretto255-SHA512-" || domain: results of different domains do not match.
        """

    def evaluate(
        self, points: npt.NDArray[np.uint8], threads: int = 1
    ) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
        """Each point P's k · P, encoded like the points, n × 32, in order.

        ValueError at the first point that is not canonically encoded, or is the identity.
        """
