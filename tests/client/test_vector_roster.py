"""Whatever order replies come in, each reaches its own call or nobody, and losses stay losses until a reset."""

from typing import Any

import pytest

from openenv.client.vector_codec import VectorCodec
from openenv.client.vector_roster import Roster
from openenv.errors import AtCapacity, ConfigurationError, LocalError, SessionBroken, SessionLost, UsageError
from openenv.protocol import BatchReply, Closed, CloseLanes, Fault, Open, Opened
from tests.support.echo import EchoEnv


def roster(num_envs: int, autoreset: Any = "off") -> Roster:
    made = Roster(num_envs, VectorCodec(EchoEnv("http://localhost:1"), arrays=False), autoreset)
    opening = made.seats.add(range(num_envs), is_plain=False, keeps_time=True)
    assert made.take(opening, Opened(tuple(range(num_envs)))) == []
    return made


def reply(op: str, *lanes: int, done: bool = False, more: bool = False, **errors: Fault) -> BatchReply:
    count = len(lanes)
    observation = [{"echoed_message": f"{op}{lane}"} for lane in lanes]
    faults = {int(lane[1:]): fault for lane, fault in errors.items()}
    return BatchReply(op, lanes, observation, [1.0] * count, [done] * count, errors=faults, more=more)


def actions(count: int) -> list[Any]:
    return [{"message": "a"}] * count


def test_parts_finish_what_they_are_about() -> None:
    envs = roster(3)
    (ask,) = envs.step([0, 1, 2], actions(3), None)
    envs.take(ask, reply("step", 2, more=True))
    assert list(envs.finished) == [2]
    assert envs.is_under_way([0, 1])
    assert not envs.is_under_way([2])
    envs.take(ask, reply("step", 1, 0))
    assert list(envs.finished) == [2, 1, 0]


def test_late_reply_to_what_was_given_up_reaches_nobody() -> None:
    envs = roster(2)
    (old,) = envs.step([0, 1], actions(2), None)
    (new,) = envs.reset([1], [{}], None)
    envs.take(old, reply("step", 0, 1))
    assert list(envs.finished) == [0]
    envs.take(new, reply("reset", 1))
    assert envs.finished[1].observation.echoed_message == "reset1"


def test_lost_session_gets_a_lane_of_its_own_at_the_next_reset() -> None:
    envs = roster(2)
    (ask,) = envs.step([0, 1], actions(2), None)
    envs.take(ask, reply("step", 0, 1, _1=Fault("TIMED_OUT", "too long")))
    envs.finished.clear()
    (ask,) = envs.step([0, 1], actions(2), None)
    assert ask.indices == (0,)
    assert isinstance(envs.finished[1].error, SessionLost)
    envs.take(ask, reply("step", 0))
    envs.finished.clear()
    assert envs.go_on([1]) == []
    assert isinstance(envs.finished[1].error, SessionLost)
    requests = [ask.request for ask in envs.reset([1], [{"seed": 3}], None)]
    assert requests[:2] == [CloseLanes((1,)), Open((2,))]


def test_refusal_is_said_in_place_of_its_consequence() -> None:
    envs = roster(1)
    envs.lose(0, LocalError("cut"))
    assert envs.dead_links([0]) == [0]
    with pytest.raises(SessionLost):
        envs.check_links()
    envs.renewed(0)
    envs.check_links()
    opening, reset = envs.reset([0], [{}], None)
    envs.take(opening, Opened((0,), {0: Fault("CAPACITY_REACHED", "full")}))
    envs.take(reset, reply("reset", 0, _0=Fault("SESSION_NOT_FOUND", "no such lane")))
    assert isinstance(envs.finished[0].error, AtCapacity)
    assert isinstance(envs.refused[0], AtCapacity)


def test_fault_of_a_whole_call_is_each_ones() -> None:
    envs = roster(2)
    (ask,) = envs.step([0, 1], actions(2), None)
    envs.take(ask, Fault("TOO_LARGE", "too large"))
    assert [envs.finished[index].error.code for index in (0, 1)] == ["TOO_LARGE"] * 2
    failed = envs.seats.open(0, [1])
    envs.take(failed, Fault("INTERNAL_ERROR", "no"))
    assert envs.refused[1].args
    assert envs.take(failed, Closed((1,))) == []


def test_given_up_call_breaks_its_sessions_only_if_told() -> None:
    envs = roster(2)
    (ask,) = envs.step([0, 1], actions(2), None)
    envs.fail(ask, LocalError("too large"), is_lost=False)
    envs.finished.clear()
    (ask,) = envs.step([0, 1], actions(2), None)
    assert envs.awaits(ask)
    envs.strand(range(2))
    assert not envs.awaits(ask)
    envs.finished.clear()
    assert envs.step([0, 1], actions(2), None) == []
    assert {type(result.error) for result in envs.finished.values()} == {SessionBroken}


def test_failed_reset_of_the_same_step_keeps_the_end() -> None:
    envs = roster(1, "same_step")
    (ask,) = envs.step([0], actions(1), None)
    (again,) = envs.take(ask, reply("step", 0, done=True))
    assert not envs.finished
    envs.take(again, reply("reset", 0, _0=Fault("EXECUTION_ERROR", "no")))
    assert envs.finished[0].error is not None
    assert envs.finished[0].final.observation.echoed_message == "step0"


def test_unreachable_server_fails_its_own() -> None:
    envs = roster(2)
    envs.unreachable(0, LocalError("nobody there"))
    assert envs.reset([0], [{}], None) == []
    assert str(envs.finished[0].error) == "nobody there"


def test_wrong_indices_and_busy_environments_are_refused() -> None:
    envs = roster(2)
    assert list(envs.pick(None)) == [0, 1]
    for wrong in ([2], [-1], [0, 0]):
        with pytest.raises(UsageError):
            envs.pick(wrong)
    envs.step([0], actions(1), None)
    with pytest.raises(UsageError):
        envs.step([0], actions(1), None)
    for again in (envs.state, envs.view, envs.go_on):
        with pytest.raises(UsageError):
            again([0])
    with pytest.raises(ConfigurationError):
        roster(1, "never")
