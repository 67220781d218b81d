"""`openenv.server.link`: many sessions on one socket, over both transports, asked by a client that is not ours."""

from functools import partial
from typing import Any

import pytest

from openenv.protocol import (
    Batch,
    BatchReply,
    Closed,
    Fault,
    GetState,
    GetView,
    JsonRpc,
    JsonRpcReply,
    Observed,
    Open,
    Opened,
    Reset,
    StateIs,
    Step,
    ViewIs,
)
from tests.server.lanes import Client, batch, messages
from tests.server.stage import AsyncStaged, Stage, Staged, app_of
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation
from tests.support.serving import Served

HI = Step({"message": "Hi"})


def says(*words: str) -> list[dict[str, str]]:
    return [{"message": word} for word in words]


# ---- every kind of request


def test_each_request_has_its_reply_on_its_lane(echo: str) -> None:
    with Client(echo) as client:
        client.lanes(0, 5)
        assert isinstance(client.ask(Reset({"episode_id": "e"}), 5), Observed)
        answer = client.ask(Step({"message": "Hi"}), 5)
        assert isinstance(answer, Observed)
        assert (answer.observation["echoed_message"], answer.reward, answer.metadata) == ("Hi", 0.2, {"step": 1})
        assert client.ask(GetState(), 5) == StateIs({"episode_id": "e", "step_count": 1})
        assert client.ask(GetView(), 5) == ViewIs({"html": None, "actions": []})
        called = client.ask(JsonRpc({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}), 5)
        assert isinstance(called, JsonRpcReply)
        assert called.payload["error"]["code"] == -32603
        assert client.close_lanes(5, 7) == Closed((5, 7))
        assert client.ask(HI, 5) == Fault("SESSION_NOT_FOUND", "Lane 5 is not open.", {"lane": 5})
        assert isinstance(client.ask(HI, 0), Observed)


@pytest.mark.parametrize("binary", [False, True])
def test_batch_of_every_op_answers_in_columns(served: Served, flavour: Any, binary: bool) -> None:
    with served(app_of(partial(flavour, Stage()))) as url, Client(url, binary=binary) as client:
        client.lanes(*range(8))
        order = [3, 0, 7, 5]
        assert messages(batch(client, "reset", order)) == ["ready"] * 4
        assert messages(batch(client, "step", order, says("a", "bb", "ccc", "dddd"))) == ["a", "bb", "ccc", "dddd"]
        reply = batch(client, "step", range(8), says(*"abcdefgh"), timeout_s=5.0)
        assert [each and each["step"] for each in reply.metadata or []] == [2, 1, 1, 2, 1, 2, 1, 2]
        assert reply.reward == [0.1] * 8
        assert [state["step_count"] for state in batch(client, "state", order).state] == [2, 2, 2, 2]


def test_one_lane_of_a_batch_that_fails_leaves_the_others_alone(served: Served, flavour: Any) -> None:
    with served(app_of(partial(flavour, Stage()))) as url, Client(url) as client:
        client.lanes(0, 1, 2, 3, 4)
        actions: list[Any] = says("a", "raise", "nan", "b", "exit")
        actions[3] = {"volume": 11}
        reply = batch(client, "step", [0, 1, 2, 3, 9], actions)
        assert messages(reply) == ["a", None, None, None, None]
        assert {lane: fault.code for lane, fault in reply.errors.items()} == {
            1: "EXECUTION_ERROR",
            2: "OBSERVATION_ERROR",
            3: "VALIDATION_ERROR",
            9: "SESSION_NOT_FOUND",
        }
        assert messages(batch(client, "step", [0, 1, 2, 3, 4], says(*"vwxyz"))) == [*"vwxyz"]


def test_time_limit_ends_the_session_of_its_lane_and_a_new_one_may_be_opened(served: Served) -> None:
    stage = Stage()
    with served(app_of(partial(AsyncStaged, stage))) as url, Client(url) as client:
        client.lanes(0, 1)
        stage.held = {"step"}
        late = client.ask(Step({"message": "x"}, 0.05), 0)
        stage.held = set()
        assert isinstance(late, Fault)
        assert late.code == "TIMED_OUT"
        ended = client.ask(HI, 0)
        assert isinstance(ended, Fault)
        assert ended.code == "SESSION_ENDED"
        assert "ran past its limit" in ended.message
        assert isinstance(client.ask(HI, 1), Observed)
        client.close_lanes(0)
        client.lanes(0)
        assert isinstance(client.ask(HI, 0), Observed)


# ---- order


def test_slow_lane_holds_up_no_other_and_keeps_its_own_order(served: Served) -> None:
    stage = Stage()
    with served(app_of(partial(Staged, stage))) as url, Client(url) as client:
        client.lanes(0, 1)
        stage.held = {"step"}
        slow = [client.begin(Step({"message": word}), 0) for word in ("first", "second")]
        slow.append(client.begin(GetState(), 0))
        stage.expect("step")
        assert isinstance(client.ask(Reset(), 1), Observed)
        other: Any = client.ask(GetState(), 1)
        assert other.state["step_count"] == 0
        stage.release()
        answers: list[Any] = [client.reply(call) for call in slow]
        assert [answer.observation["echoed_message"] for answer in answers[:2]] == ["first", "second"]
        assert answers[2].state["step_count"] == 2


def test_parts_come_as_soon_as_they_are_ready(served: Served) -> None:
    stage = Stage()

    class OneIsSlow(AsyncStaged):
        async def step(self, action: EchoAction, **options: Any) -> EchoObservation:  # type: ignore[override]
            if action.message == "slow":
                await self.stage.enter_async("slow")
            return self._echo(action.message)

    stage.held = {"slow"}
    with served(app_of(partial(OneIsSlow, stage))) as url, Client(url) as client:
        client.lanes(*range(6))
        actions = says("a", "b", "slow", "d", "e", "f")
        call = client.begin(Batch("step", tuple(range(6)), actions, parts=True))
        ready: set[int] = set()
        parts = 0
        while len(ready) < 5:
            part = client.reply(call)
            assert isinstance(part, BatchReply)
            assert part.more
            ready |= set(part.lanes)
            parts += 1
        assert ready == {0, 1, 3, 4, 5}
        assert parts < 5, "what is ready in one turn of the loop leaves together"
        stage.release()
        last = client.reply(call)
        assert isinstance(last, BatchReply)
        assert (last.lanes, last.more, messages(last)) == ((2,), False, ["slow"])


def test_requests_may_be_sent_ahead_of_the_opening(served: Served, flavour: Any) -> None:
    with served(app_of(partial(flavour, Stage()))) as url, Client(url) as client:
        opening = client.begin(Open((0,)))
        calls = [client.begin(Step({"message": str(count)}), 0) for count in range(20)]
        assert client.reply(opening) == Opened((0,))
        told: list[Any] = [client.reply(call) for call in calls]
        assert [each.observation["echoed_message"] for each in told] == [str(count) for count in range(20)]


# ---- cancelling


def test_cancelling_what_waits_spares_its_session_and_what_runs_loses_it(served: Served) -> None:
    stage = Stage()
    with served(app_of(partial(AsyncStaged, stage))) as url, Client(url) as client:
        client.lanes(0)
        stage.held = {"step"}
        running, waiting = client.begin(HI, 0), client.begin(HI, 0)
        stage.expect("step")
        client.cancel(waiting)
        spared = client.reply(waiting)
        client.cancel(running)
        lost = client.reply(running)
        assert isinstance(spared, Fault)
        assert isinstance(lost, Fault)
        assert (spared.code, spared.details["session_lost"]) == ("CANCELLED", False)
        assert (lost.code, lost.details["session_lost"]) == ("CANCELLED", True)
        ended = client.ask(HI, 0)
        assert isinstance(ended, Fault)
        assert ended.code == "SESSION_ENDED"
        stage.expect("step cancelled")
        stage.expect("close")


def test_cancelled_opening_gives_its_place_back(served: Served) -> None:
    stage = Stage()
    stage.held = {"init"}
    with served(app_of(partial(Staged, stage), max_sessions=1, queue_s=5)) as url, Client(url) as client:
        opening = client.begin(Open((0,)))
        stage.expect("init")
        client.cancel(opening)
        reply = client.reply(opening)
        assert isinstance(reply, Opened)
        assert reply.errors[0].code == "CANCELLED"
        stage.release()
        client.lanes(0)
        assert isinstance(client.ask(HI, 0), Observed)


# ---- room


def test_lanes_without_room_are_refused_one_by_one(served: Served) -> None:
    with served(app_of(EchoEnvironment, max_sessions=3, queue_s=0)) as url, Client(url) as client:
        opened = client.ask(Open(tuple(range(5))))
        assert isinstance(opened, Opened)
        assert {lane: fault.code for lane, fault in opened.errors.items()} == dict.fromkeys((3, 4), "CAPACITY_REACHED")
        assert messages(batch(client, "step", [0, 1, 2], says(*"abc"))) == [*"abc"]
        client.close_lanes(0)
        client.lanes(4)


def test_lane_waits_in_the_queue_for_the_place_of_another_client(served: Served) -> None:
    with served(app_of(EchoEnvironment, max_sessions=1, queue_s=8)) as url, Client(url) as first, Client(url) as second:
        first.lanes(0)
        opening = second.begin(Open((0,)))
        assert isinstance(first.ask(HI, 0), Observed)
        first.close_lanes(0)
        assert second.reply(opening) == Opened((0,))


def test_environment_that_cannot_be_built_is_the_fault_of_its_lane(
    served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    class Choosy(EchoEnvironment):
        built = 0

        def __init__(self) -> None:
            super().__init__()
            type(self).built += 1
            if self.built == 2:
                raise OSError("no more of these")

    with served(app_of(Choosy)) as url, Client(url) as client:
        opened = client.ask(Open((0, 1, 2)))
        assert isinstance(opened, Opened)
        assert {lane: fault.code for lane, fault in opened.errors.items()} == {1: "FACTORY_ERROR"}
        assert messages(batch(client, "step", [0, 2], says(*"ab"))) == ["a", "b"]
    caplog.clear()


def test_ten_thousand_lanes_that_are_never_closed_leave_with_their_client(served: Served) -> None:
    with served(app_of(EchoEnvironment, max_sessions=2000, queue_s=0)) as url:
        with Client(url) as client:
            opened = client.ask(Open(tuple(range(10_000))))
            assert isinstance(opened, Opened)
            assert len(opened.errors) == 8000
        with Client(url) as client:  # the first one said good-bye, so its places are free
            client.lanes(*range(10))


# ---- who may do what


def test_agent_may_open_and_step_and_nothing_else(served: Served) -> None:
    app = app_of(EchoEnvironment, token="orchestrator", agent_token="agent")
    headers = {"Authorization": "Bearer agent"}
    with served(app) as url, Client(url, additional_headers=headers) as client:
        client.lanes(0)
        assert isinstance(client.ask(HI, 0), Observed)
        assert messages(batch(client, "step", [0], says("a"))) == ["a"]
        for request in (Reset(), GetState(), GetView()):
            refused = client.ask(request, 0)
            assert isinstance(refused, Fault)
            assert refused.code == "FORBIDDEN"
        assert batch(client, "reset", [0]).errors[0].code == "FORBIDDEN"
        assert batch(client, "state", [0]).errors[0].code == "FORBIDDEN"
