"""The network between a client and a server, in a test's hands: a port that leads to another one."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ["Relay", "relayed"]

_CHUNK = 65536


class Relay:
    """Hands everything on in both directions, until told otherwise.

    Attributes:
        url: Where it is.
        connections: How many there ever were.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._lock = threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads: list[threading.Thread] = []
        self._bytes_left: int | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        self._run(self._accept)

    def cut(self) -> None:
        """Break every connection."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for each in (socket_ for pair in pairs for socket_ in pair):
            with suppress(OSError):  # its other end was faster
                each.shutdown(socket.SHUT_RDWR)

    def cut_after(self, count: int) -> None:
        """Break every connection once so many more bytes have passed, wherever in a frame that is."""
        with self._lock:
            self._bytes_left = count

    def close(self) -> None:
        """Break every connection, and take no other."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in list(self._threads):
            thread.join(10)

    def _accept(self) -> None:
        with suppress(OSError):  # the listener is closed
            while True:
                near, _ = self._listener.accept()
                self._run(self._connect, near)

    def _connect(self, near: socket.socket) -> None:
        with near, suppress(OSError), socket.create_connection(self._target) as far:
            for each in (near, far):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self.connections += 1
                self._pairs.append((near, far))
            other = self._run(self._copy, far, near)
            self._copy(near, far)
            other.join(10)

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):  # cut
            while chunk := source.recv(_CHUNK):
                passed, is_last = self._count(chunk)
                sink.sendall(passed)
                if is_last:
                    self.cut()
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _count(self, chunk: bytes) -> tuple[bytes, bool]:
        with self._lock:
            if self._bytes_left is None:
                return chunk, False
            if self._bytes_left > len(chunk):
                self._bytes_left -= len(chunk)
                return chunk, False
            left, self._bytes_left = self._bytes_left, None
            return chunk[:left], True

    def _run(self, target: object, *arguments: socket.socket) -> threading.Thread:
        thread = threading.Thread(target=target, args=arguments, name="relay")  # type: ignore[arg-type]  # our methods
        self._threads.append(thread)
        thread.start()
        return thread


@contextmanager
def relayed(url: str) -> Iterator[Relay]:
    """Put a relay before the server at `url`."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    relay = Relay((host, int(port)))
    try:
        yield relay
    finally:
        relay.close()
