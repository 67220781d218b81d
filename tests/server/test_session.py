"""`openenv.server.session`: one call at a time, and what a session is wherever its environment lives."""

import asyncio
import logging
from typing import Any

import pytest

from openenv.protocol import Fault, GetState, Observed, Step
from openenv.server.session import SessionState
from tests.server.opened import HI, Opened, entered
from tests.server.stage import InlineStaged, Stage, Staged

pytestmark = pytest.mark.anyio


async def test_requests_wait_their_turn(opened: Opened, stage: Stage) -> None:
    session = opened(Staged)
    stage.held = {"step"}
    calls = [asyncio.create_task(session.perform(request)) for request in (HI, GetState(), Step({"message": "abc"}))]
    await entered(stage, "step")
    assert session.is_busy
    assert stage.count("state") == 0
    stage.release()
    await asyncio.gather(*calls)
    assert [name for name, _ in stage.calls] == ["init", "step", "state", "step"]
    assert not session.is_busy


async def test_caller_that_goes_away_before_its_turn_loses_nothing(opened: Opened, stage: Stage) -> None:
    session = opened(Staged)
    stage.held = {"step"}
    first, second = (asyncio.create_task(session.perform(HI)) for _ in range(2))
    await entered(stage, "step")
    second.cancel()
    await asyncio.wait({second})
    stage.release()
    assert isinstance(await first, Observed)
    assert session.state is SessionState.OPEN


async def test_environment_is_kept_when_it_is_not_ours_to_close(opened: Opened, stage: Stage) -> None:
    await opened(Staged).end("over", keep_environment=True)
    assert stage.count("close") == 0


async def test_description_is_not_asked_of_a_session_that_has_ended(opened: Opened) -> None:
    session = opened(Staged)
    described = await session.metadata()
    assert described is not None
    assert described.name == "Staged"
    await session.end("over")
    assert await session.metadata() is None


async def test_bug_of_ours_crosses_as_a_fixed_sentence(
    opened: Opened, stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    session = opened(InlineStaged)
    nonsense: Any = Step({"message": "x"}, timeout_s=1, options=7)  # type: ignore[arg-type]
    reply = await session.perform(nonsense)
    assert isinstance(reply, Fault)
    assert (reply.code, reply.message) == (
        "INTERNAL_ERROR",
        "The server failed while serving this request; its log says why.",
    )
    assert [r.exc_info is not None for r in caplog.records if r.levelno == logging.ERROR] == [True]
    caplog.clear()
    assert isinstance(await session.perform(HI), Observed)
