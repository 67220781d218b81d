"""What tests of pools stand on: servers with room for so many, and a runtime whose server can be killed."""

import contextlib
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from openenv import create_app
from openenv.errors import StartFailed
from openenv.pool import EnvPool
from openenv.runtimes import Runtime
from openenv.server import ServerConfig
from openenv.types import State
from tests.client.served import served
from tests.support.echo import EchoAction, EchoEnv, EchoObservation, ThreadedEcho
from tests.support.serving import serving

Pool = EnvPool[EchoAction, EchoObservation, State]


def say(message: str) -> EchoAction:
    return EchoAction(message=message)


@contextmanager
def echoing(port: int = 0, **settings: Any) -> Iterator[str]:
    """Serve the echo environment; settings are those of `ServerConfig`."""
    with serving(create_app(ThreadedEcho, EchoAction, EchoObservation, config=ServerConfig(**settings)), port) as url:
        yield url


def pool_of(*servers: str | Runtime, **options: Any) -> Pool:
    return EnvPool(list(servers), client=EchoEnv, **options)


def dead_url() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


class Killable(Runtime):
    """Serves the echo environment in a process, on any port; `failing` starts fail."""

    def __init__(self, failing: int = 0) -> None:
        super().__init__(start_timeout_s=10)
        self.failing = failing
        self.starts = 0
        self._stack = ExitStack()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def logs(self, lines: int = 100) -> str:
        return "its last words"

    def died(self) -> str | None:
        code = self._process.poll()
        return None if code is None else f"it exited with code {code}"

    def _launch(self) -> str:
        self.starts += 1
        if self.starts <= self.failing:
            raise StartFailed("it will not start")
        url, self._process = self._stack.enter_context(served())
        return url

    def _remove(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._stack.close()

    def __str__(self) -> str:
        return "the killable runtime"
