"""Several worker processes behind one port, sessions staying where they live.

A WebSocket session lives in the worker that accepted its connection. HTTP requests are handed to the worker that has
their session (`forward`), and the session limit is counted over all workers (`slots`). A worker that dies takes its
sessions with it and is replaced; the others do not notice.
"""

import logging
import multiprocessing
import multiprocessing.connection
import os
import shutil
import signal
import socket
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.importer import import_from_string

from openenv.errors import ConfigurationError
from openenv.server.forward import Forwarder, session_prefix
from openenv.server.serving import DrainingServer, table_of
from openenv.server.slots import SharedSlots

__all__ = ["Cluster"]

logger = logging.getLogger(__name__)

_RESTART_S = 1.0
"""A worker that lived shorter than this died while starting, and would do so again."""
_STOP_S = 30.0


@dataclass(frozen=True)
class _Worker:
    """What a worker process is told."""

    app: str
    index: int
    workers: int
    folder: Path
    settings: dict[str, Any]

    @property
    def peers(self) -> list[Path]:
        return [self.folder / f"worker-{index}.sock" for index in range(self.workers)]


class Cluster:
    """Starts workers, replaces those that die, and stops them all.

    Args:
        app: Where each worker imports the app from.
        workers: How many.
        listener: The port they share.
        settings: For `uvicorn.Config`.
    """

    def __init__(self, app: str, *, workers: int, listener: socket.socket, settings: dict[str, Any]) -> None:
        self._app = app
        self._workers = workers
        self._listener = listener
        self._settings = settings
        self._stopping = False

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT.

        Raises:
            ConfigurationError: A worker died while it started.
        """
        folder = Path(tempfile.mkdtemp(prefix="openenv-"))
        previous = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            SharedSlots.create(folder / "slots", self._workers)
            self._supervise(folder)
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
            shutil.rmtree(folder, ignore_errors=True)

    def _supervise(self, folder: Path) -> None:
        processes = {index: self._start(folder, index) for index in range(self._workers)}
        born = dict.fromkeys(processes, time.monotonic())
        try:
            while not self._stopping:
                multiprocessing.connection.wait([p.sentinel for p in processes.values()], timeout=0.2)
                for index, process in processes.items():
                    if process.is_alive() or self._stopping:
                        continue
                    if time.monotonic() - born[index] < _RESTART_S:
                        raise ConfigurationError(f"worker {index} died while it started; its output says why")
                    logger.error("worker %d died (exit code %s) and is replaced", index, process.exitcode)
                    processes[index], born[index] = self._start(folder, index), time.monotonic()
        finally:
            _stop_all(list(processes.values()))

    def _start(self, folder: Path, index: int) -> SpawnProcess:
        worker = _Worker(self._app, index, self._workers, folder, self._settings)
        process = multiprocessing.get_context("spawn").Process(
            target=_work, args=(worker, self._listener), name=f"openenv-worker-{index}", daemon=False
        )
        process.start()
        return process

    def _stop(self, *_: object) -> None:
        self._stopping = True


def _stop_all(processes: list[SpawnProcess]) -> None:
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + _STOP_S
    for process in processes:
        process.join(max(deadline - time.monotonic(), 0.1))
        if process.is_alive():
            process.kill()
            process.join()


def _work(worker: _Worker, listener: socket.socket) -> None:
    """Be one worker: the body of its process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent passes on what it means
    app = import_from_string(worker.app)
    table = table_of(app)
    if table is None:
        raise ConfigurationError(f"{worker.app} was not made by create_app; serve it with one worker")
    slots = SharedSlots(worker.folder / "slots", worker.index)
    table.share(slots, session_prefix(worker.index))
    max_body_bytes = table.config.max_body_bytes
    app = Forwarder(app, index=worker.index, peers=worker.peers, max_body_bytes=max_body_bytes)
    own = _listen_on_file(worker.peers[worker.index])
    server = DrainingServer(uvicorn.Config(app, **worker.settings))
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listener, own])


def _listen_on_file(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)  # a predecessor's
    own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    own.bind(str(path))
    os.chmod(path, 0o600)
    own.listen(1024)
    return own
