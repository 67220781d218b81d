"""An environment that endangers the process it lives in, as its actions say."""

import ctypes
import logging
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import threading
from typing import Any

from openenv import EnvironmentMetadata, Observation
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation

__all__ = [
    "AsyncHazard",
    "Described",
    "Hazard",
    "InlineHazard",
    "Lonely",
    "build_crash",
    "build_hazard",
    "build_lonely",
    "build_nothing",
]

_BIG = 8 * 1024 * 1024


class Scene(Observation):
    """As large as it is asked to be."""

    pixels: str = ""


class InlineHazard(EchoEnvironment):
    """Runs on its process's event loop."""

    def step(self, action: EchoAction, timeout_s: float | None = None, **options: Any) -> Any:
        observation = _misbehave(action.message)
        if observation is None:
            observation = self._echo(action.message)
            observation.metadata["pid"] = os.getpid()
            observation.metadata["thread"] = threading.current_thread().name
        return observation

    def close(self) -> None:
        if path := os.environ.get("HAZARD_CLOSED"):
            with open(path, "a") as file:
                file.write(f"{os.getpid()}\n")


class Hazard(InlineHazard):
    """Runs on a thread of its own."""

    BLOCKING = True


class AsyncHazard(Hazard):
    """Has async methods."""

    async def reset(self, **options: Any) -> EchoObservation:  # type: ignore[override]
        return super().reset(**options)

    async def step(self, action: EchoAction, **options: Any) -> Any:  # type: ignore[override]
        import asyncio

        if action.message == "hang":
            await asyncio.Event().wait()
        return super().step(action)


class Described(Hazard):
    """Says more about itself than its class does."""

    def get_metadata(self) -> EnvironmentMetadata:
        return EnvironmentMetadata(name="seldom described")


class Lonely(Hazard):
    """Bears no other beside it."""

    SUPPORTS_CONCURRENT_SESSIONS = False


def build_lonely():  # type: ignore[no-untyped-def]  # as below
    return Lonely()


def build_nothing() -> Hazard:
    raise OSError("no display")


def build_crash(code: int) -> Hazard:
    os._exit(code)


def build_hazard():  # type: ignore[no-untyped-def]  # a factory that does not say what it builds
    return Hazard()


def _misbehave(message: str) -> Any:
    match message.split():
        case ["segfault"]:
            ctypes.string_at(0)
        case ["exit", code]:
            os._exit(int(code))
        case ["memory"]:
            _run_out_of_memory()
        case ["hang"]:
            threading.Event().wait()
        case ["spin"]:
            while True:
                pass
        case ["hold"]:  # with the interpreter's lock, so that no other thread runs either
            ctypes.PyDLL(None).sleep(1000)
        case ["freeze"]:
            os.kill(os.getpid(), signal.SIGSTOP)
        case ["announced", misdeed]:
            _announce()
            return _misbehave(misdeed)
        case ["gate"]:
            _announce()
            open(os.environ["HAZARD_GO"]).close()  # as below
        case ["print", words]:
            print(words)
            print(words, file=sys.stderr)
            logging.getLogger("hazard").warning("logged %s", words)
        case ["gibberish"]:
            os.write(_server_socket(), b"\0\0\0\3???")
            threading.Event().wait()
        case ["mute"]:
            os.close(_server_socket())
            threading.Event().wait()
        case ["offspring"]:
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
            return EchoObservation(echoed_message=str(child.pid))
        case ["parent"]:
            return EchoObservation(echoed_message=str(os.getppid()))
        case ["raise"]:
            raise ValueError("asked to")
        case ["memory_error"]:
            raise MemoryError("asked to")
        case ["threads"]:
            return EchoObservation(echoed_message=" ".join(thread.name for thread in threading.enumerate()))
        case ["random"]:
            import numpy  # only where it is asked for: what imports this module need not wait

            return EchoObservation(echoed_message=f"{random.random()} {numpy.random.random()}")
        case ["big"]:
            return Scene(pixels="x" * _BIG)
    return None


def _announce() -> None:
    open(os.environ["HAZARD_ENTERED"], "w").close()  # a pipe, with the test at the other end


def _server_socket() -> int:
    """Find the descriptor by which this process hears of its server."""
    for name in os.listdir("/proc/self/fd"):
        try:
            socket.socket(fileno=os.dup(int(name))).getpeername()
        except OSError:
            continue
        return int(name)
    raise AssertionError("there is none")


def _run_out_of_memory() -> None:
    """Allocate past a limit, and die of it as from the kernel's hand."""
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    hoard = []
    try:
        while True:
            hoard.append(bytearray(1 << 26))
    except MemoryError:
        os.kill(os.getpid(), signal.SIGKILL)
