"""`openenv.server.conversation`: what dialect 1 does with what a transport tells it, without any transport."""

import asyncio
import json
from functools import partial
from typing import Any

import pytest

from openenv.server.access import Scope
from openenv.server.conversation import CONVERSATIONS, Conversation
from openenv.server.sessions import SessionTable
from tests.server.stage import AsyncStaged, InlineStaged, Stage, Staged, app_of

pytestmark = pytest.mark.anyio

RESET = '{"type":"reset"}'
STEP = '{"type":"step","data":{"message":"Hi"}}'


class Recorder:
    """A peer that keeps what it is sent."""

    def __init__(self) -> None:
        self.is_reading = True
        self.sent: list[Any] = []
        self.closed: tuple[int, str] | None = None
        self.changed = asyncio.Event()

    def send(self, frame: bytes) -> None:
        self.sent.append(json.loads(frame))
        self.changed.set()

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.closed = (code, reason)
        self.changed.set()

    async def until(self, count: int) -> None:
        """Wait until it was sent so many frames."""
        async with asyncio.timeout(5):
            while len(self.sent) < count:
                self.changed.clear()
                await self.changed.wait()


async def _begin(environment: Any, stage: Stage, **settings: Any) -> tuple[Conversation, Recorder, SessionTable]:
    table: SessionTable = app_of(partial(environment, stage), **settings).state.openenv
    peer = Recorder()
    conversation = CONVERSATIONS[None](peer, table, Scope.ORCHESTRATOR)
    conversation.begin()
    conversation.received(RESET)  # before there is a session
    await peer.until(1)
    await asyncio.sleep(0)  # the call is over when its task is
    return conversation, peer, table


async def _over(conversation: Conversation, table: SessionTable) -> None:
    conversation.lost()
    conversation.lost()
    await table.close()


async def test_step_that_waits_for_nothing_is_answered_at_once(stage: Stage) -> None:
    conversation, peer, table = await _begin(InlineStaged, stage)
    conversation.received(STEP)
    assert peer.sent[1]["data"]["reward"] == 0.2
    await _over(conversation, table)
    assert stage.count("close") == 1


async def test_nothing_is_served_while_the_peer_does_not_read(stage: Stage) -> None:
    conversation, peer, table = await _begin(InlineStaged, stage)
    peer.is_reading = False
    conversation.received(STEP)
    conversation.received(STEP)
    assert stage.count("step") == 0
    peer.is_reading = True
    conversation.resumed()
    assert len(peer.sent) == 3
    await _over(conversation, table)


@pytest.mark.parametrize("environment", [Staged, AsyncStaged])
async def test_requests_wait_for_the_call_under_way(environment: Any, stage: Stage) -> None:
    conversation, peer, table = await _begin(environment, stage)
    for _ in range(3):
        conversation.received(STEP)
    assert len(peer.sent) == 1
    await peer.until(4)
    assert [reply["data"]["reward"] for reply in peer.sent[1:]] == [0.2] * 3
    await _over(conversation, table)


async def test_peer_that_sends_too_much_ahead_is_closed_and_its_call_given_up(stage: Stage) -> None:
    stage.held = {"step"}
    conversation, peer, table = await _begin(AsyncStaged, stage)
    for _ in range(66):
        conversation.received(STEP)
    assert peer.closed is not None
    assert peer.closed[0] == 1008
    assert "more than 64 requests" in peer.closed[1]
    await _over(conversation, table)
    assert stage.count("close") == 1


async def test_nothing_is_taken_after_the_end(stage: Stage) -> None:
    conversation, peer, table = await _begin(InlineStaged, stage)
    conversation.received('{"type":"close"}')
    conversation.received(STEP)
    conversation.resumed()
    assert peer.closed == (1000, "")
    assert stage.count("step") == 0
    await _over(conversation, table)


async def test_client_that_leaves_before_there_is_a_session_leaves_nothing(stage: Stage) -> None:
    table: SessionTable = app_of(partial(InlineStaged, stage)).state.openenv
    conversation = CONVERSATIONS["openenv.v1"](Recorder(), table, Scope.ORCHESTRATOR)
    conversation.begin()
    conversation.lost()
    await asyncio.sleep(0)
    await table.close()
    assert table.active == 0
    assert stage.count("init") == stage.count("close")


async def test_bug_of_ours_closes_the_socket_and_is_logged(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Recorder):
        def send(self, frame: bytes) -> None:
            super().send(frame)
            raise ZeroDivisionError

    table: SessionTable = app_of(partial(Staged, stage)).state.openenv
    peer = Broken()
    conversation = CONVERSATIONS[None](peer, table, Scope.ORCHESTRATOR)
    conversation.begin()
    conversation.received(RESET)
    await peer.until(1)
    await asyncio.sleep(0)
    assert peer.closed == (1011, "")
    assert "internal error while serving a socket" in caplog.text
    caplog.clear()
    await _over(conversation, table)
