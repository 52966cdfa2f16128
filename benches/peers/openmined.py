"""One party of OpenMined PSI (ECDH over P-256) on a plain TCP socket; prints one line of JSON.

    python openmined.py PARTY PORT ITEMS COMMON

Party 0 is the server, party 1 the client; only the client learns which items are common.
"""

import json
import socket
import struct
import sys
import time

import private_set_intersection.python as psi

PARTY, PORT, ITEMS, COMMON = map(int, sys.argv[1:])


def connected():
    if PARTY == 0:
        with socket.create_server(("127.0.0.1", PORT)) as door:
            return door.accept()[0]
    while True:
        try:
            return socket.create_connection(("127.0.0.1", PORT))
        except ConnectionRefusedError:
            time.sleep(0.02)


def send(line, data):
    line.sendall(struct.pack("<I", len(data)) + data)
    return len(data)


def receive(line):
    def exactly(size):
        data = bytearray()
        while len(data) < size:
            data += line.recv(size - len(data))
        return bytes(data)

    return exactly(struct.unpack("<I", exactly(4))[0])


def serve(line, items):
    server = psi.server.CreateWithNewKey(True)
    # RAW has no false positives; the default would have one in 10^9
    setup = server.CreateSetupMessage(1e-9, ITEMS, items, psi.DataStructure.RAW)
    sent = send(line, setup.SerializeToString())
    request = psi.Request()
    request.ParseFromString(receive(line))
    return sent + send(line, server.ProcessRequest(request).SerializeToString()), None


def ask(line, items):
    client = psi.client.CreateWithNewKey(True)
    sent = send(line, client.CreateRequest(items).SerializeToString())
    setup, response = psi.ServerSetup(), psi.Response()
    setup.ParseFromString(receive(line))
    response.ParseFromString(receive(line))
    return sent, len(client.GetIntersection(setup, response))


first = PARTY * (ITEMS - COMMON)
items = [f"person {number}" for number in range(first, first + ITEMS)]
with connected() as line:
    began, worked = time.perf_counter(), time.process_time()
    sent, found = (serve, ask)[PARTY](line, items)
    seconds, cpu = time.perf_counter() - began, time.process_time() - worked
print(json.dumps({"seconds": seconds, "cpu": cpu, "sent": sent, "common": found}))
