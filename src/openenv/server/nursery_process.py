"""The process that worker processes are forked from: it has imported the environment, and runs nothing.

A fork of the server itself would copy its threads' locks and its event loop. This process has neither, and so a fork of
it is safe, takes milliseconds, and shares memory with its siblings. Where that does not hold, because the environment's
modules start threads when they are imported, or on macOS, whose libraries do not bear it, workers are started anew.

It ends when its server does, in whatever way, and takes every worker along, also those that hang.
"""

import os
import pickle
import select
import signal
import socket
import sys
import threading
from contextlib import suppress
from typing import NoReturn

from openenv.server.nursery import KILL, START
from openenv.server.recipe import Recipe
from openenv.server.worker_process import work
from openenv.server.worker_wire import receive_frame

__all__ = ["main"]

_MAX_SOCKETS = 16
_RESEED = {"numpy.random": "seed", "torch": "seed"}
"""Random generators that a fork would leave in the same state in every worker; `random` minds that itself."""


def main(descriptor: int) -> None:
    """Serve until the other end of the socket is closed.

    A line `start` comes with a socket and is answered by the number of the worker that has got it; a line with a
    number and an exit code follows when it has ended. `kill` and a number kills one.
    """
    control = socket.socket(fileno=descriptor)
    recipe: Recipe = pickle.loads(receive_frame(control))
    with suppress(Exception, SystemExit):  # each worker fails in the same way, and says so to its server
        recipe.load()
    _Nursery(control).serve()
    os._exit(0)  # whatever the environment's modules have started


class _Nursery:
    """The loop, and the workers that live."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._workers: set[int] = set()
        self._unread = b""
        self._sockets: list[int] = []
        self._awake, self._wake = os.pipe()
        for end in (self._awake, self._wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wake)
        signal.signal(signal.SIGCHLD, _nothing)

    def serve(self) -> None:
        """Obey until the server is gone."""
        while True:
            readable = select.select([self._control.fileno(), self._awake], [], [])[0]
            if self._awake in readable:
                os.read(self._awake, 4096)
                self._reap()
            if self._control.fileno() in readable:
                data, sockets, _, _ = socket.recv_fds(self._control, 4096, _MAX_SOCKETS)
                if not data:
                    break
                self._sockets += sockets
                *lines, self._unread = (self._unread + data).split(b"\n")
                for line in lines:
                    self._obey(line)
        for pid in self._workers:
            _kill_group(pid)
        for pid in self._workers:
            os.waitpid(pid, 0)

    def _obey(self, line: bytes) -> None:
        command, _, number = line.partition(b" ")
        if command == START:
            self._fork(self._sockets.pop(0))
        elif command == KILL and int(number) in self._workers:  # not reaped, so the number is still its own
            _kill_group(int(number))

    def _fork(self, descriptor: int) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        must_begin_anew = sys.platform == "darwin" or threading.active_count() > 1  # a fork would count itself alone
        pid = os.fork()
        if pid == 0:
            self._become_worker(descriptor, must_begin_anew)
        with suppress(OSError):  # it has done so itself, or has ended
            os.setpgid(pid, pid)
        os.close(descriptor)
        self._workers.add(pid)
        self._tell(b"%d\n" % pid)

    def _become_worker(self, descriptor: int, must_begin_anew: bool) -> NoReturn:
        try:
            os.setpgid(0, 0)  # what the environment starts ends with it
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for other in (self._control.detach(), self._awake, self._wake, *self._sockets):
                os.close(other)
            if must_begin_anew:
                os.set_inheritable(descriptor, True)
                os.execv(sys.executable, [sys.executable, "-m", "openenv.server.worker_process", str(descriptor)])
            for module, seed in _RESEED.items():
                if module in sys.modules:
                    getattr(sys.modules[module], seed)()
            work(descriptor)
        finally:
            os._exit(1)  # `work` exits by itself; a fork must never return into its parent's loop

    def _reap(self) -> None:
        while self._workers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            self._workers.discard(pid)
            _kill_group(pid)
            self._tell(b"%d %d\n" % (pid, os.waitstatus_to_exitcode(status)))

    def _tell(self, line: bytes) -> None:
        try:
            self._control.sendall(line)
        except OSError:  # the server is gone, which the next look at the socket tells
            self._control.shutdown(socket.SHUT_RD)


def _kill_group(pid: int) -> None:
    """Kill a worker and whatever it has started."""
    with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
        os.killpg(pid, signal.SIGKILL)


def _nothing(*_: object) -> None:
    """Handle a signal, so that it is written to the pipe."""


if __name__ == "__main__":
    main(int(sys.argv[1]))
