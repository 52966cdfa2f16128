"""Proxies between workers that keep every byte: what the network sees."""

import socket
import threading
from contextlib import suppress

from cluster_kit import free_port


class Recorder:
    """Passes connections on, and keeps what went through them, by direction."""

    def __init__(self):
        self.streams = []
        self._sockets, self._threads, self._stop = [], [], threading.Event()

    def route(self, address):
        """The address of a proxy to `address`, which may not be listened at yet."""
        door = socket.create_server(("127.0.0.1", free_port()))
        door.settimeout(0.1)
        self._sockets.append(door)
        self._start(self._serve, door, address)
        return f"127.0.0.1:{door.getsockname()[1]}"

    @property
    def seen(self):
        """All bytes, each direction of a connection by itself."""
        return [bytes(stream) for stream in self.streams]

    def find(self, patterns):
        """Which of the named patterns went over the network in the clear."""
        return {name for name, mark in patterns.items() if any(mark in each for each in self.seen)}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stop.set()
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for one in self._sockets:
            one.close()

    def _start(self, work, *arguments):
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self, door, address):
        while not self._stop.is_set():
            try:
                near, _ = door.accept()
            except OSError:
                continue
            self._sockets.append(near)
            near.settimeout(None)
            if far := self._dial(*address.split(":")):
                self._sockets.append(far)
                for source, sink in ((near, far), (far, near)):
                    sink.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    self.streams.append(bytearray())
                    self._start(_pass, source, sink, self.streams[-1])

    def _dial(self, host, port):
        """A connection to who is behind the proxy, as soon as it listens."""
        while not self._stop.wait(0.05):
            with suppress(OSError):
                return socket.create_connection((host, int(port)))
        return None


def _pass(source, sink, stream):
    """Carries one direction to its end."""
    with suppress(OSError):
        while data := source.recv(1 << 16):
            stream += data
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
