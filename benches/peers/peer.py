"""The same works by PyPI `spu`: SEMI2K on 64-bit words, 18 fraction bits, all operands secret.

    python peer.py [--scale S] [--repeats R] > rows.json      in an environment that has `spu`

Two processes over loopback without TLS; its correlated randomness is made inside the run, by party
0, which its source calls unsafe. Time is from a barrier to the end of the later party. Sharing,
compilation and reveal are left out, except that a table which one party owns is shared in time.
"""

import argparse
import json
import os
import pickle
import re
import socket
import struct
import sys
import tempfile
import time
from multiprocessing import get_context

import jax
import jax.numpy as jnp
import numpy as np
from spu import api, libspu
from spu.utils import frontend

SECRET = libspu.Visibility.VIS_SECRET
PATIENCE = 300
SENT = re.compile(r"total send bytes (\d+).*?send actions (\d+)", re.S)


def reals(rng, bound, *shape):
    return rng.uniform(-bound, bound, shape)


RATE = 2.0**-7


def step(x, y, w):
    return w - RATE * (x.T @ (jax.nn.sigmoid(x @ w) - y))


def logistic(scale, rows, columns, steps):
    """A loop of steps over consecutive rows; the last operand is carried from step to step."""
    rng, steps = np.random.default_rng(7), max(2, int(steps * scale))
    x = reals(rng, 1, rows * steps, columns)
    y = rng.integers(0, 2, rows * steps).astype(float)
    name = f"logistic step {rows}×{columns}"
    return (name, f"{steps} steps", step, (x, y, np.zeros(columns)), False, rows)


def works(scale):
    """Name, size, function, operands; whether the first is shared within the time; rows a step."""
    rng = np.random.default_rng(7)
    n, side, rows = (max(8, int(size * scale)) for size in (1_000_000, 1_000, 100_000))
    square = f"({side}×{side})"
    pair = reals(rng, 8, n), reals(rng, 8, n)
    squares = reals(rng, 1, side, side), reals(rng, 1, side, side)
    table = reals(rng, 1, rows, 100), reals(rng, 1, 100, 1)
    return [
        ("multiply", f"{n}", lambda x, y: x * y, pair, False, 0),
        ("x < 0", f"{n}", lambda x: x < 0, pair[:1], False, 0),
        ("sigmoid", f"{n}", jax.nn.sigmoid, (reals(rng, 16, n),), False, 0),
        ("matmul", f"{square}·{square}", jnp.matmul, squares, False, 0),
        ("matmul, owned table", f"({rows}×100)·(100×1)", jnp.matmul, table, True, 0),
        logistic(scale, 65, 30, 70),
        logistic(scale, 1000, 100, 80),
    ]


def configuration(profile=False):
    config = libspu.RuntimeConfig(
        protocol=libspu.ProtocolKind.SEMI2K, field=libspu.FieldType.FM64, fxp_fraction_bits=18
    )
    config.enable_pphlo_profile = profile
    return config


def compiled(function, operands):
    """The code of a function of secret operands, and the names of its inputs and outputs."""
    names = [f"x{i}" for i in range(len(operands))]
    executable, _ = frontend.compile(
        frontend.Kind.JAX,
        function,
        operands,
        {},
        names,
        [SECRET] * len(operands),
        lambda outputs: [f"y{i}" for i in range(len(outputs))],
    )
    return executable.code, names, list(executable.output_names)


def linked(me, ports):
    description = libspu.link.Desc()
    description.recv_timeout_ms = 120_000
    for rank, port in enumerate(ports):
        description.add_party(f"p{rank}", f"127.0.0.1:{port}")
    return libspu.link.create_brpc(description, me)


def hand_over(me, line, io, table):
    """Shares a table that party 0 owns; party 1 gets its share over a socket of its own."""
    if me == 0:
        own, other = io.make_shares(table, SECRET)
        data = pickle.dumps(other, protocol=5)
        line.sendall(struct.pack("<Q", len(data)) + data)
        return own
    (length,) = struct.unpack("<Q", line.recv(8, socket.MSG_WAITALL))
    return pickle.loads(line.recv(length, socket.MSG_WAITALL))


def party(me, ports, line, barrier, pipe):
    """Runs each work that the parent sends: (code, names, outputs, shares, table, repeats)."""
    context = linked(me, ports)
    while (work := pipe.recv()) is not None:
        code, names, outputs, shares, table, repeats, loop = work
        executable = libspu.Executable(
            name="work", input_names=names, output_names=outputs, code=code
        )
        for repeat in range(repeats + 2):
            profile = repeat > repeats
            runtime = api.Runtime(context, configuration(profile))
            for name, share in zip(names, () if loop else shares, strict=not loop):
                if share is not None:
                    runtime.set_var(name, share)
            barrier.wait()
            begun = time.perf_counter()
            if loop:
                with captured() if profile else nothing() as log:
                    run_loop(runtime, executable, names, outputs, shares)
                pipe.send((begun, time.perf_counter()))
                continue
            if shares[0] is None:
                io = api.Io(2, configuration())
                runtime.set_var(names[0], hand_over(me, line, io, table))
            with captured() if profile else nothing() as log:
                runtime.run(executable)
            pipe.send((begun, time.perf_counter()))
        pipe.send(([runtime.get_var(name) for name in outputs], log.text))


def run_loop(runtime, executable, names, outputs, batches):
    """The step on each batch; its result is the next step's last operand."""
    for batch in batches[:-1]:
        for name, share in zip(names, batch, strict=False):
            runtime.set_var(name, share)
        if batch is batches[0]:
            runtime.set_var(names[-1], batches[-1])
        runtime.run(executable)
        runtime.set_var(names[-1], runtime.get_var(outputs[0]))


class nothing:
    text = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class captured(nothing):
    """What the library writes to this process's own streams."""

    def __enter__(self):
        self.file = tempfile.TemporaryFile()
        self.saved = [(fd, os.dup(fd)) for fd in (1, 2)]
        for fd, _ in self.saved:
            os.dup2(self.file.fileno(), fd)
        return self

    def __exit__(self, *_):
        for fd, saved in self.saved:
            os.dup2(saved, fd)
            os.close(saved)
        self.file.seek(0)
        self.text = self.file.read().decode(errors="replace")


def free_ports(count):
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in servers]
    for server in servers:
        server.close()
    return ports


def heard(pipe):
    """What a party says; a party that failed says nothing."""
    if not pipe.poll(PATIENCE):
        sys.exit("a party of the peer has failed, or takes too long")
    return pipe.recv()


def measure(pipes, work, repeats):
    name, size, function, operands, owned, loop = work
    io = api.Io(2, configuration())
    if loop:
        batches = list(zip(*(np.split(x, len(x) // loop) for x in operands[:-1]), strict=True))
        code, names, outputs = compiled(function, (*batches[0], operands[-1]))
        shares = [[io.make_shares(x, SECRET) for x in batch] for batch in batches]
        first = io.make_shares(operands[-1], SECRET)
    else:
        shares = [io.make_shares(x, SECRET) for x in operands]
        code, names, outputs = compiled(function, operands)
    for me, pipe in enumerate(pipes):
        if loop:
            mine = [[share[me] for share in batch] for batch in shares] + [first[me]]
        else:
            mine = [share[me] for share in shares]
        if owned:
            mine[0] = None
        table = operands[0] if owned and me == 0 else None
        pipe.send((code, names, outputs, mine, table, repeats, loop))
    seconds = []
    for _ in range(repeats + 2):
        ends = [heard(pipe) for pipe in pipes]
        seconds.append(max(end for _, end in ends) - min(begin for begin, _ in ends))
    answers = [heard(pipe) for pipe in pipes]
    found = io.reconstruct([answer[0][0] for answer in answers])
    if loop:
        expected = operands[-1]
        for batch in batches:
            expected = np.asarray(function(*batch, expected))
    else:
        expected = np.asarray(function(*operands))
    sent = [SENT.search(log) for _, log in answers]
    handed = sum(len(chunk) for chunk in shares[0][1].share_chunks) if owned else 0
    return {
        "work": name,
        "size": size,
        "total": seconds[1:-1],
        "bytes": [
            int(match[1]) + handed * (me == 0) if match else None for me, match in enumerate(sent)
        ],
        "messages": [int(match[2]) if match else None for match in sent],
        "error": float(np.abs(found.astype(float) - expected.astype(float)).max()),
        "load": os.getloadavg()[0],
    }


def main():
    parser = argparse.ArgumentParser(description="Seconds of the works by spu")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    context = get_context("spawn")
    ports, barrier = free_ports(2), context.Barrier(2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    pipes = [context.Pipe() for _ in range(2)]
    processes = [
        context.Process(target=party, args=(me, ports, line, barrier, pipes[me][1]), daemon=True)
        for me, line in enumerate((near, far))
    ]
    for process in processes:
        process.start()
    ends = [pipe for pipe, _ in pipes]
    rows = [measure(ends, work, arguments.repeats) for work in works(arguments.scale)]
    for pipe in ends:
        pipe.send(None)
    for process in processes:
        process.join(10)
        process.kill()
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
