"""Tables of sessions whose environments live in worker processes, and how tests talk to them."""

import asyncio
import os
from collections.abc import Callable
from typing import Any

import orjson

from openenv.env import EnvironmentSource
from openenv.protocol import Fault, Observed, Reply, Step
from openenv.server import ServerConfig
from openenv.server.session import Session
from openenv.server.sessions import SessionTable
from tests.server.hazards import AsyncHazard, Hazard, InlineHazard
from tests.support.echo import EchoAction

__all__ = ["FLAVOURS", "HI", "Tables", "comes_true", "do", "fault", "is_running", "observed", "pid_of"]

HI = Step({"message": "Hi"})
FLAVOURS = [Hazard, InlineHazard, AsyncHazard]


class Tables:
    """Makes tables whose environments live in processes, and closes them with the test."""

    def __init__(self) -> None:
        self.made: list[SessionTable] = []

    def __call__(self, given: Any, **settings: Any) -> SessionTable:
        defaults: dict[str, Any] = {"queue_s": 5.0, "drain_s": 3.0, "isolation": "process"}
        config = ServerConfig(**(defaults | settings))
        self.made.append(SessionTable(EnvironmentSource(given), EchoAction, config))
        return self.made[-1]


def observed(reply: Reply) -> dict[str, Any]:
    assert isinstance(reply, Observed), reply
    told: dict[str, Any] = orjson.loads(orjson.dumps(reply.observation))
    return told


async def pid_of(session: Session) -> int:
    return int(observed(await session.perform(HI))["metadata"]["pid"])


async def do(session: Session, message: str, timeout_s: float | None = None) -> Reply:
    return await session.perform(Step({"message": message}, timeout_s))


def fault(reply: Reply) -> tuple[str, str]:
    assert isinstance(reply, Fault), reply
    return reply.code, reply.message


async def comes_true(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(8):
        while not condition():  # noqa: ASYNC110  # a process ends when it ends
            await asyncio.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
