"""The network between workers shows no feature or gradient; LightGBM's own sockets show both."""

import struct

import numpy as np
import pytest

from cluster_kit import by_channels, by_sockets, free_port, results, settings_of
from recorder_kit import Recorder

pytestmark = pytest.mark.jobs

LEAST, MOST = -987654.321, 123456.789
"""The ends of a column, which workers tell each other with its bins."""
RARE = 77_777.25
"""The outcome of each row of one bin: its gradient is minus that."""
PARAMETERS = {
    "objective": "regression",
    "boost_from_average": False,
    "num_leaves": 4,
    "min_data_in_leaf": 1,
    "min_data_in_bin": 1,
    "num_threads": 1,
}
PATTERNS = {
    "least value of a column": struct.pack("<d", LEAST),
    "greatest value of a column": struct.pack("<d", MOST),
    "sum of gradients of a bin": struct.pack("<d", -2 * RARE),
}


def planted(rank):
    """Rows with the known values in every column, and a bin of two rows with the known outcome."""
    table = np.tile(np.arange(200.0)[:, None] % 20, (1, 6)) + rank / 4
    label = (table[:, 0] > 9).astype(np.float64)
    table[0], table[1] = LEAST, MOST
    table[2:4], label[2:4] = 33.0, RARE
    return table, label


def test_channels_show_nothing_that_sockets_show(tmp_path):
    shards = [planted(rank) for rank in range(2)]
    with Recorder() as channels:
        settings = settings_of(
            tmp_path, 2, lambda me, peer, real: real if me == peer else channels.route(real)
        )
        results([(by_channels, settings[r], shards[r], PARAMETERS, 5) for r in range(2)])
    with Recorder() as sockets:
        ports = [free_port() for _ in range(2)]
        seen = [list(ports), list(ports)]
        for rank in range(2):
            route = sockets.route(f"127.0.0.1:{ports[1 - rank]}")
            seen[rank][1 - rank] = int(route.rpartition(":")[2])
        results([(by_sockets, r, ports, shards[r], PARAMETERS, 5, seen[r]) for r in range(2)])
    assert sockets.find(PATTERNS) == set(PATTERNS)
    assert channels.find(PATTERNS) == set()
    assert sum(map(len, channels.seen)) > sum(map(len, sockets.seen)) > 10_000
    assert tls_throughout(channels.seen)


def tls_throughout(streams):
    """Whether each stream is TLS records from its first byte to its last: type, 3.x, length."""
    for stream in streams:
        at = 0
        while at < len(stream):
            kind, version, length = struct.unpack_from(">BHH", stream, at)
            if kind not in (20, 22, 23) or version not in (0x0301, 0x0303):
                return False
            at += 5 + length
        if at != len(stream):
            return False
    return True
