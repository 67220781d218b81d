"""A Unix socket that leads to another one, for as long as a block lasts: an engine that can go away."""

import contextlib
import socket
import threading
from pathlib import Path
from typing import Self

__all__ = ["Relay"]

_CHUNK = 65536


class Relay:
    """Hands everything on in both directions; at the end of the block every connection breaks."""

    def __init__(self, path: Path, target: Path) -> None:
        self._path = path
        self._target = target
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._path))
        self._listener.listen()
        self._run(self._accept)
        return self

    def __exit__(self, *exc: object) -> None:
        self._path.unlink()
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in (self._listener, *self._open):
            each.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.socket(socket.AF_UNIX)
                self._open += [near, far]
                far.connect(str(self._target))
                self._run(self._copy, near, far)
                self._run(self._copy, far, near)

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(_CHUNK):
                sink.sendall(chunk)
            sink.shutdown(socket.SHUT_WR)

    def _run(self, target: object, *arguments: socket.socket) -> None:
        thread = threading.Thread(target=target, args=arguments)  # type: ignore[arg-type]  # our own methods
        self._threads.append(thread)
        thread.start()
