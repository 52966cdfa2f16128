"""Every code path of the kernels, and any number of threads, gives the same bytes."""

import os
import subprocess
import sys

from moiety import _core

EVERYTHING = """
import hashlib, numpy as np
from moiety import _core
out = np.zeros(70_001, np.uint8)
_core.stream(bytes(range(16)), 9, 5, out)
word = out[:65_536].view(np.uint64)
products = [
    _core.matmul_u64(word[: m * k].reshape(m, k), word[100 : 100 + k * n].reshape(k, n))
    for m, k, n in [(60, 90, 70), (90, 50, 1), (1, 60, 90), (77, 2, 40), (6, 200, 8)]
]
packed = _core.pack_words(word, 37)
rows = 3 * [15 * 999] + [7 * 999]
dealt = _core.Dealt(bytes(16), 5, 0, [(bits, False) for bits in rows])
signs = _core.look_up(packed[:6993], packed[7:7000], dealt, 0, (999, 56, 15, 4), True)
_core.keep_memory()
count, shape = 5003, (5003, 21)
keys = [_core.Dealt(bytes([i] * 16), 5, 0, [(21 * count, False), *2 * [(128 * count, False)],
        (count, False), (560 * count, False)]) for i in (1, 2)]
sent = _core.deal_prefixes(*keys, *shape, (21, 8, 15, 35))
fields = [(21 * count, False), *2 * [(128 * count, False)], (count, True), (560 * count, True)]
sizes = (13 * count * 63, 13 * count * 64, 26 * count, 128 * count)
key = _core.Dealt(bytes([2] * 16), 5, 0, [*fields, *((size, True) for size in sizes)], sent)
message = packed[: (21 * count + 7) // 8 - 1] + bytes(1)
shifts = word[:3].copy()
walked = _core.prefix_signs(message, message, key, 5, shape, shifts, False)
waved = _core.sum_waves(message, message, key, 4, shape, (21, 8, 15, 35), np.full(8, 1e5), 3)
parts = [out, *products, packed, _core.unpack_words(packed, len(word), 37), signs]
parts += [sent, walked, waved]
print(_core.cpu_features()["matmul"], _core.cpu_features()["stream"])
print(hashlib.sha256(b"".join(bytes(memoryview(part).cast("B")) for part in parts)).hexdigest())
"""


def test_portable_code_and_any_threads_give_the_same_bytes():
    def run(portable, threads):
        environment = {**os.environ, "MOIETY_PORTABLE": portable, "MOIETY_THREADS": threads}
        command = [sys.executable, "-c", EVERYTHING]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    native, portable, many = run("0", "1"), run("1", "2"), run("0", "5")
    assert portable[0] == "portable crate aes"
    assert native[1] == portable[1] == many[1]
    assert set(_core.cpu_features()) == {"matmul", "stream", "curve"}
