"""Sessions in this process around staged environments, one a test or more."""

import asyncio

from openenv.env import EnvironmentAdapter
from openenv.env.spec import spec_of
from openenv.protocol import Step
from openenv.server.local import LocalSession, Runner
from openenv.server.workers import WorkerThread
from tests.server.stage import Stage, Staged
from tests.support.echo import EchoAction

__all__ = ["HI", "Opened", "entered"]

HI = Step({"message": "Hi"})


class Opened:
    """Opens sessions, and ends them with the test."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.sessions: list[LocalSession] = []

    def __call__(self, flavour: type[Staged], *, step_timeout_s: float | None = None) -> LocalSession:
        adapter = EnvironmentAdapter(flavour(self.stage), spec_of(flavour))
        runner = Runner(WorkerThread("session") if flavour.BLOCKING else None)
        self.sessions.append(LocalSession("s1", adapter, runner, EchoAction, step_timeout_s=step_timeout_s))
        return self.sessions[-1]


async def entered(stage: Stage, method: str, times: int = 1) -> None:
    """Wait until `method` was called so often."""
    await asyncio.to_thread(stage.expect, method, times)
