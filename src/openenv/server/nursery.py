"""The server's side of the process that worker processes are forked from; see `nursery_process`."""

import asyncio
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress

from openenv.server.recipe import Recipe
from openenv.server.worker_wire import encode_frame

__all__ = ["KILL", "START", "Nursery", "NurseryDied", "describe_exit"]

START, KILL = b"start", b"kill"
"""What it is told to do."""

_STOP_S = 5.0


class NurseryDied(Exception):
    """The process that workers come from is gone; the message says how it ended."""


class Nursery:
    """Starts workers, tells when they have ended, and kills them.

    Args:
        recipe: What the workers are to build.

    Attributes:
        introduction: What a worker must be sent first.
    """

    def __init__(self, recipe: Recipe) -> None:
        self._starting = asyncio.Lock()
        self._born: asyncio.Future[int] | None = None
        self._ended: dict[int, Callable[[str], None]] = {}
        self._unread = b""
        self._is_stopping = False
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "openenv.server.nursery_process", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C at a terminal is the server's, which lets calls finish
            )
        self.introduction = encode_frame(pickle.dumps(recipe))
        self._control.sendall(self.introduction)
        self._control.setblocking(False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._control, self._read)
        self._gone = self._loop.create_future()

    @property
    def is_gone(self) -> bool:
        """Whether it has ended."""
        return self._gone.done()

    async def start(self, connection: socket.socket, ended: Callable[[str], None]) -> int:
        """Start a worker that has `connection`, and give its number; `ended` is told how it ended, once it has.

        Raises:
            NurseryDied: There is nothing to start it from.
        """
        async with self._starting:  # one at a time, so that it is known whose birth is told
            if self.is_gone:
                raise NurseryDied(self._how())
            self._born = self._loop.create_future()
            try:
                socket.send_fds(self._control, [START + b"\n"], [connection.fileno()])
            except OSError as error:
                raise NurseryDied(self._how()) from error
            pid = await asyncio.shield(self._born)
            self._ended[pid] = ended
            return pid

    def kill(self, pid: int) -> None:
        """Kill a worker, if it still lives."""
        if pid in self._ended and not self.is_gone and not self._is_stopping:
            with suppress(BrokenPipeError):  # it has just ended, and every worker with it
                self._control.send(KILL + b" %d\n" % pid)

    async def stop(self) -> None:
        """End it, and every worker with it."""
        if not self.is_gone:
            self._is_stopping = True
            self._control.shutdown(socket.SHUT_WR)
            await asyncio.wait({self._gone}, timeout=_STOP_S)
            if not self.is_gone:
                self._process.kill()
                await asyncio.wait({self._gone}, timeout=_STOP_S)

    def _read(self) -> None:
        try:
            data = self._control.recv(65536)
        except OSError:
            data = b""
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            pid, _, code = line.partition(b" ")
            if code:
                self._tell(int(pid), describe_exit(int(code)))
            elif self._born is not None:
                self._born.set_result(int(pid))
        if not data:
            self._close()

    def _close(self) -> None:
        self._loop.remove_reader(self._control)
        self._control.close()
        how = self._how()
        self._gone.set_result(None)
        if self._born is not None and not self._born.done():
            self._born.set_exception(NurseryDied(how))
        for pid in list(self._ended):
            self._tell(pid, f"the process it was forked from has ended ({how})")

    def _tell(self, pid: int, how: str) -> None:
        ended = self._ended.pop(pid, None)
        if ended is not None:
            ended(how)

    def _how(self) -> str:
        try:
            return describe_exit(self._process.wait(_STOP_S))
        except subprocess.TimeoutExpired:
            self._process.kill()
            return describe_exit(self._process.wait())


def describe_exit(code: int) -> str:
    """Say how a process ended."""
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        return f"killed by signal {-code}"
    return f"killed by signal {-code} ({name})"
