"""Several worker processes behind one port, sessions staying where they live.

A WebSocket session lives in the worker that accepted its connection. HTTP requests are handed to the worker that has
their session (`forward`), and the session limit is counted over all workers (`slots`). A worker that dies takes its
sessions with it and is replaced; the others do not notice.
"""

import logging
import multiprocessing
import multiprocessing.connection
import os
import secrets
import shutil
import signal
import socket
import tempfile
import threading
import time
from dataclasses import dataclass, field
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

_STOP_S = 30.0


@dataclass(frozen=True)
class _Worker:
    """What a worker process is told."""

    app: str
    index: int
    workers: int
    folder: Path
    snapshot_key: str = field(repr=False)
    settings: dict[str, Any]

    @property
    def up(self) -> Path:
        """The file that is there once the worker serves."""
        return self.folder / f"worker-{self.index}.up"

    @property
    def peers(self) -> list[Path]:
        """The socket files of all workers, by number."""
        return [self.folder / f"worker-{index}.sock" for index in range(self.workers)]

    @property
    def file(self) -> Path:
        """Its own."""
        return self.peers[self.index]


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
        self._count = workers
        self._listener = listener
        self._settings = settings
        self._stopping = False

    def run(self) -> None:
        """Serve until told to stop.

        Raises:
            ConfigurationError: A worker died while it started.
        """
        folder = Path(tempfile.mkdtemp(prefix="openenv-"))
        try:
            SharedSlots.create(folder / "slots", self._count)
            key = secrets.token_hex(32)  # one for all: a client may come to another worker with its snapshot
            count, settings = self._count, self._settings
            self._supervise([_Worker(self._app, i, count, folder, key, settings) for i in range(count)])
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def stop(self, *_: object) -> None:
        """Have `run` stop the workers and return; may be called by a signal."""
        self._stopping = True

    def _supervise(self, workers: list[_Worker]) -> None:
        processes: list[SpawnProcess] = []
        try:
            # All files listen before anybody serves, so that what is handed over meanwhile waits instead of failing.
            for worker, own in [(worker, listen_on_file(worker.file)) for worker in workers]:
                processes.append(self._start(worker, own))
            while not self._stopping:
                multiprocessing.connection.wait([process.sentinel for process in processes], timeout=0.2)
                for index, process in enumerate(processes):
                    if not process.is_alive() and not self._stopping:
                        processes[index] = self._replace(workers[index], process)
        finally:
            self._listener.close()  # so that callers are refused once the last worker has stopped listening
            _stop_all(processes)

    def _replace(self, worker: _Worker, process: SpawnProcess) -> SpawnProcess:
        if not worker.up.exists():
            raise ConfigurationError(f"worker {worker.index} died while it started; its output says why")
        worker.up.unlink()
        logger.error("worker %d died (exit code %s) and is replaced", worker.index, process.exitcode)
        return self._start(worker, listen_on_file(worker.file))

    def _start(self, worker: _Worker, own: socket.socket) -> SpawnProcess:
        process = multiprocessing.get_context("spawn").Process(
            target=_work, args=(worker, self._listener, own), name=f"openenv-worker-{worker.index}", daemon=False
        )
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # the worker inherits this, see `_work`
        try:
            with own:  # the worker has it once it is started, and while it lives
                process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        return process


def _stop_all(processes: list[SpawnProcess]) -> None:
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + _STOP_S
    for process in processes:
        process.join(max(deadline - time.monotonic(), 0.1))
        if process.is_alive():
            process.kill()
            process.join()


class _WorkerServer(DrainingServer):
    """Says when it serves."""

    def __init__(self, config: uvicorn.Config, up: Path) -> None:
        super().__init__(config)
        self._up = up

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._up.touch()


def _work(worker: _Worker, listener: socket.socket, own: socket.socket) -> None:
    """Be one worker: the body of its process."""
    # Ctrl-C reaches the whole group. One that comes while we start is the parent's, who passes on what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_stop_with_parent, name="openenv-parent", daemon=True).start()
    app = import_from_string(worker.app)
    table = table_of(app)
    if table is None:
        raise ConfigurationError(f"{worker.app} was not made by create_app; serve it with one worker")
    slots = SharedSlots(worker.folder / "slots", worker.index)
    table.share(slots, session_prefix(worker.index), worker.snapshot_key)
    max_body_bytes = table.config.max_body_bytes
    app = Forwarder(app, index=worker.index, peers=worker.peers, max_body_bytes=max_body_bytes)
    server = _WorkerServer(uvicorn.Config(app, **worker.settings), worker.up)
    server.run(sockets=[listener, own])


def _stop_with_parent() -> None:
    """Stop when the parent is gone, as after a SIGKILL: nobody else would stop this worker."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # this is a worker
    multiprocessing.connection.wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


def listen_on_file(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)  # a predecessor's
    own = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    own.bind(str(path))
    os.chmod(path, 0o600)
    own.listen(1024)
    return own
