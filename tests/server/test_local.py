"""`openenv.server.local`: an environment in this process, each call where its class wants it."""

import asyncio
import json
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from openenv.protocol import (
    Dialect1,
    Fault,
    GetState,
    GetView,
    JsonRpc,
    JsonRpcReply,
    Observed,
    Reply,
    Reset,
    StateIs,
    Step,
)
from openenv.server.local import Runner
from openenv.server.session import SessionState
from openenv.server.workers import WorkerThread
from tests.server.opened import HI, Opened, entered
from tests.server.stage import AsyncStaged, InlineStaged, Stage, Staged
from tests.support.echo import EchoAction

pytestmark = pytest.mark.anyio


def code(reply: Reply) -> str:
    assert isinstance(reply, Fault), reply
    return reply.code


@pytest.mark.parametrize("flavour", [InlineStaged, Staged, AsyncStaged])
async def test_each_request_has_its_kind_of_reply(opened: Opened, flavour: type[Staged]) -> None:
    session = opened(flavour)
    reset, hi, state, rpc = [await session.perform(r) for r in (Reset(), HI, GetState(), JsonRpc({"id": 3}))]
    assert isinstance(reset, Observed)
    assert isinstance(hi, Observed)
    assert (hi.reward, hi.done, hi.truncated) == (0.2, False, False)
    assert isinstance(state, StateIs)
    assert isinstance(rpc, JsonRpcReply)
    assert rpc.payload["id"] == 3


@pytest.mark.parametrize(
    ("flavour", "is_inline", "on_loop"),
    [
        (InlineStaged, True, {"reset", "step", "state", "close"}),
        (AsyncStaged, False, {"reset", "step"}),
        (Staged, False, set()),
    ],
)
async def test_calls_run_where_the_class_says(
    opened: Opened, stage: Stage, flavour: type[Staged], is_inline: bool, on_loop: set[str]
) -> None:
    session = opened(flavour)
    stage.calls.clear()
    for request in (Reset(), HI, GetState()):
        await session.perform(request)
    await session.end("over")
    loop = threading.current_thread()
    assert {name for name, thread in stage.calls if thread is loop} == on_loop
    assert len(stage.threads() - {loop}) == (not is_inline)
    assert session.is_inline is is_inline


# ---- what is shown to a person, and JSON-RPC


class Odd(InlineStaged):
    """Shows, offers and answers what `do` makes of the observation or the request."""

    do: Callable[[Any], Any] = staticmethod(lambda given: given)

    def render_web(self, observation: Any) -> Any:
        self.stage.enter("render_web")
        return self.do(observation)

    def web_actions(self, observation: Any) -> Any:
        self.stage.enter("web_actions")
        return [("Say hi", EchoAction(message="hi"))]

    def handle_json_rpc(self, request: dict[str, Any]) -> Any:
        self.stage.enter("handle_json_rpc")
        return self.do(request)


class ThreadedOdd(Odd):
    BLOCKING = True


class AsyncOdd(ThreadedOdd):
    async def render_web(self, observation: Any) -> Any:
        await self.stage.enter_async("render_web")
        return self.do(observation)

    async def handle_json_rpc(self, request: dict[str, Any]) -> Any:
        await self.stage.enter_async("handle_json_rpc")
        return self.do(request)


ODD = pytest.mark.parametrize("flavour", [Odd, ThreadedOdd, AsyncOdd])


def doing(flavour: type[Odd], do: Callable[[Any], Any]) -> type[Odd]:
    return type(flavour.__name__, (flavour,), {"do": staticmethod(do)})


def raising(error: BaseException) -> Callable[[Any], Any]:
    def call(_: Any) -> Any:
        raise error

    return call


def rpc_error(reply: Reply) -> Any:
    assert isinstance(reply, JsonRpcReply), reply
    assert reply.payload["jsonrpc"] == "2.0"
    assert reply.payload["error"]["code"] == -32603
    return reply.payload["id"], reply.payload["error"]["message"]


def plain(reply: Reply) -> Any:
    return json.loads(Dialect1().encode_reply(reply, None))["data"]


@pytest.mark.parametrize("flavour", [InlineStaged, Staged, AsyncStaged, Odd, AsyncOdd])
async def test_without_an_observation_or_a_way_to_show_it_the_view_is_empty(
    opened: Opened, stage: Stage, flavour: type[Staged]
) -> None:
    session = opened(flavour)
    assert plain(await session.perform(GetView())) == {"html": None, "actions": []}
    if not issubclass(flavour, Odd):
        await session.perform(HI)
        assert plain(await session.perform(GetView())) == {"html": None, "actions": []}
    assert not stage.count("render_web")


@ODD
@pytest.mark.parametrize(
    ("do", "refusal"),
    [
        (raising(KeyError("gone")), "EXECUTION_ERROR"),
        (raising(SystemExit(3)), "EXECUTION_ERROR"),
        (lambda _: 5, "OBSERVATION_ERROR"),
    ],
)
async def test_view_that_fails_is_a_fault_and_leaves_the_session(
    opened: Opened, flavour: type[Odd], do: Callable[[Any], Any], refusal: str
) -> None:
    session = opened(doing(flavour, do))
    await session.perform(Reset())
    assert code(await session.perform(GetView())) == refusal
    assert isinstance(await session.perform(HI), Observed)


@ODD
async def test_view_is_of_the_latest_observation(opened: Opened, flavour: type[Odd]) -> None:
    session = opened(doing(flavour, lambda seen: f"<b>{seen.echoed_message}</b>"))
    await session.perform(Reset())
    await session.perform(HI)
    assert code(await session.perform(Step({}))) == "VALIDATION_ERROR"
    view = {"html": "<b>Hi</b>", "actions": [{"label": "Say hi", "action": {"message": "hi", "metadata": {}}}]}
    assert plain(await session.perform(GetView())) == view


@pytest.mark.parametrize(
    ("flavour", "on_loop"),
    [
        (Odd, {"render_web", "web_actions", "handle_json_rpc"}),
        (ThreadedOdd, set()),
        (AsyncOdd, {"render_web", "handle_json_rpc"}),
    ],
)
async def test_they_run_where_the_class_says(
    opened: Opened, stage: Stage, flavour: type[Odd], on_loop: set[str]
) -> None:
    session = opened(doing(flavour, lambda _: None))
    await session.perform(HI)
    worker = stage.threads("init", "step")
    stage.calls.clear()
    for request in (GetView(), JsonRpc({})):
        await session.perform(request)
    loop = threading.current_thread()
    assert {name for name, thread in stage.calls if thread is loop} == on_loop
    assert stage.threads() - {loop} <= worker


async def test_view_past_the_limit_loses_the_session(opened: Opened, stage: Stage) -> None:
    session = opened(AsyncOdd, step_timeout_s=0.05)
    await session.perform(HI)
    stage.held = {"render_web"}
    assert code(await session.perform(GetView())) == "TIMED_OUT"
    assert session.state is SessionState.LOST


@ODD
@pytest.mark.parametrize(
    ("do", "message"),
    [
        (raising(ValueError("asked to")), "ValueError: asked to"),
        (raising(SystemExit(3)), "SystemExit: 3"),
        (lambda _: 5, "{name}.handle_json_rpc returned int instead of a JSON-RPC reply"),
        (lambda _: {"result": float("nan")}, "{name}.handle_json_rpc: field 'result' is nan, which JSON cannot carry"),
        (lambda _: None, "{name}.handle_json_rpc gave no answer"),
    ],
)
async def test_json_rpc_that_fails_is_an_error_of_json_rpc_and_leaves_the_session(
    opened: Opened, flavour: type[Odd], do: Callable[[Any], Any], message: str
) -> None:
    session = opened(doing(flavour, do))
    assert rpc_error(await session.perform(JsonRpc({"id": 7}))) == (7, message.format(name=flavour.__name__))
    assert isinstance(await session.perform(HI), Observed)


@pytest.mark.parametrize("call_id", [None, 1.5, [1], {"a": 1}])
async def test_json_rpc_of_an_odd_id_is_answered_without_it(opened: Opened, call_id: Any) -> None:
    session = opened(doing(Odd, raising(ValueError())))
    assert rpc_error(await session.perform(JsonRpc({"id": call_id})))[0] is None


@ODD
async def test_environment_answers_json_rpc(opened: Opened, flavour: type[Odd]) -> None:
    session = opened(doing(flavour, lambda asked: {"jsonrpc": "2.0", "id": asked["id"], "result": dict(asked)}))
    asked = {"jsonrpc": "2.0", "id": "a", "method": "tools/list"}
    assert plain(await session.perform(JsonRpc(asked))) == {"jsonrpc": "2.0", "id": "a", "result": asked}


@ODD
async def test_notification_has_no_answer_but_a_reply(opened: Opened, flavour: type[Odd]) -> None:
    session = opened(doing(flavour, lambda _: None))
    assert plain(await session.perform(JsonRpc({"method": "notifications/initialized"}))) == {}


@pytest.mark.parametrize("flavour", [InlineStaged, Staged, AsyncStaged])
async def test_class_without_json_rpc_says_so(opened: Opened, flavour: type[Staged]) -> None:
    reply = await opened(flavour).perform(JsonRpc({"id": 3}))
    assert rpc_error(reply) == (3, "Environment does not support MCP")


# ---- turns


@pytest.mark.parametrize("flavour", [Staged, AsyncStaged])
async def test_call_past_its_limit_loses_the_session(opened: Opened, stage: Stage, flavour: type[Staged]) -> None:
    session = opened(flavour)
    stage.held = {"step"}
    late = await session.perform(Step({"message": "x"}, 0.02))
    assert isinstance(late, Fault)
    assert (late.code, late.details) == ("TIMED_OUT", {"timeout_s": 0.02})
    assert session.state is SessionState.LOST
    after = await session.perform(HI)
    assert isinstance(after, Fault)
    assert (after.code, "limit of 0.02 s" in after.message) == ("SESSION_ENDED", True)


@pytest.mark.parametrize(("limit", "asked"), [(0.02, None), (0.02, 60.0), (60.0, 0.02)])
async def test_the_lower_of_two_limits_holds(opened: Opened, stage: Stage, limit: float, asked: float | None) -> None:
    session = opened(Staged, step_timeout_s=limit)
    stage.held = {"reset"}
    assert code(await session.perform(Reset({}, asked))) == "TIMED_OUT"


async def test_state_is_limited_too(opened: Opened, stage: Stage) -> None:
    session = opened(AsyncStaged, step_timeout_s=0.02)
    stage.held = {"state"}
    assert code(await session.perform(GetState())) == "TIMED_OUT"


@pytest.mark.parametrize("limit", [None, 60.0])
@pytest.mark.parametrize("flavour", [Staged, AsyncStaged])
async def test_caller_that_goes_away_loses_the_session(
    opened: Opened, stage: Stage, flavour: type[Staged], limit: float | None
) -> None:
    session = opened(flavour)
    stage.held = {"step"}
    call = asyncio.create_task(session.perform(Step({"message": "x"}, limit)))
    await entered(stage, "step")
    call.cancel()
    await asyncio.wait({call})
    assert call.cancelled()
    assert session.state is SessionState.LOST
    if flavour is AsyncStaged:
        await entered(stage, "step cancelled")


async def test_end_waits_for_the_thread_and_closes_once(opened: Opened, stage: Stage) -> None:
    session = opened(Staged)
    stage.held = {"step"}
    await session.perform(Step({"message": "x"}, 0.02))
    ending = [asyncio.create_task(session.end("over")) for _ in range(2)]
    await asyncio.sleep(0)
    assert (stage.count("close"), ending[0].done()) == (0, False)
    stage.release()
    await asyncio.gather(*ending)
    assert stage.count("close") == 1
    assert session.state is SessionState.CLOSED


async def test_coroutine_that_minds_no_cancelling_is_waited_for(opened: Opened, stage: Stage) -> None:
    class Stubborn(AsyncStaged):
        async def step(self, action: EchoAction, **options: Any) -> Any:  # type: ignore[override]
            while not self.stage.gate.is_set():
                with suppress(asyncio.CancelledError):
                    await self.stage.enter_async("step")

    stage.held = {"step"}
    session = opened(Stubborn)
    assert code(await session.perform(Step({"message": "x"}, 0.02))) == "TIMED_OUT"
    ending = asyncio.create_task(session.end("over"))
    await asyncio.wait({ending}, timeout=0.05)
    assert stage.count("close") == 0
    stage.release()
    await ending
    assert stage.count("close") == 1


async def test_failure_of_a_call_that_was_cut_off_is_logged(
    opened: Opened, stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    class Spiteful(AsyncStaged):
        async def step(self, action: EchoAction, **options: Any) -> Any:  # type: ignore[override]
            try:
                await self.stage.enter_async("step")
            except asyncio.CancelledError:
                raise OSError("you should not have") from None

    stage.held = {"step"}
    session = opened(Spiteful)
    await session.perform(Step({"message": "x"}, 0.02))
    await session.end("over")
    assert any("cut off" in record.getMessage() for record in caplog.records)


async def test_async_close_is_awaited(opened: Opened) -> None:
    class Thorough(AsyncStaged):
        async def close(self) -> None:  # type: ignore[override]
            await asyncio.sleep(0)
            self.stage.note("closed")

    await opened(Thorough).end("over")
    assert opened.stage.count("closed") == 1


async def test_close_that_raises_ends_the_session_all_the_same(
    opened: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    class Leaky(Staged):
        def close(self) -> None:
            raise SystemExit(1)

    session = opened(Leaky)
    await session.end("over")
    assert session.state is SessionState.CLOSED
    assert "Leaky.close failed" in caplog.text


async def test_shared_thread_outlives_the_session_that_brought_it(stage: Stage) -> None:
    runner = Runner(WorkerThread("shared"))
    shared = runner.share()
    assert shared is not None
    before = await runner.run(threading.current_thread)
    runner.stop()
    assert await Runner(shared, is_shared=True).run(threading.current_thread) is before
    shared.stop()
