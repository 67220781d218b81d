"""Providers as third parties write them, whose "containers" are servers in a thread of this process."""

from contextlib import ExitStack
from typing import Any

from openenv import create_app
from tests.support.echo import EchoAction, EchoObservation, ThreadedEcho
from tests.support.serving import serving

__all__ = ["Calls", "ServedContainers", "ServedRuntime"]

Calls = list[tuple[Any, ...]]


class _Served:
    def __init__(self) -> None:
        self.calls: Calls = []
        self._running = ExitStack()

    def _serve(self) -> str:
        return self._running.enter_context(serving(create_app(ThreadedEcho, EchoAction, EchoObservation)))


class ServedContainers(_Served):
    """A container provider."""

    def start_container(
        self, image: str, port: int | None = None, env_vars: dict[str, str] | None = None, **options: Any
    ) -> str:
        self.calls.append(("start", image, env_vars, options))
        return self._serve()

    def wait_for_ready(self, base_url: str, timeout_s: float = 30.0) -> None:
        self.calls.append(("wait", base_url))

    def stop_container(self) -> None:
        self.calls.append(("stop",))
        self._running.close()


class ServedRuntime(_Served):
    """A provider that knows what it runs; `fails` says what it raises instead of being ready."""

    def __init__(self, fails: Exception | None = None) -> None:
        super().__init__()
        self._fails = fails

    def start(self, port: int | None = None, env_vars: dict[str, str] | None = None, **options: Any) -> str:
        self.calls.append(("start", env_vars, options))
        return self._serve()

    def wait_for_ready(self, timeout_s: float = 30.0) -> None:
        self.calls.append(("wait",))
        if self._fails is not None:
            raise self._fails

    def stop(self) -> None:
        self.calls.append(("stop",))
        self._running.close()
