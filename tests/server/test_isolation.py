"""`openenv.server.isolation`: sessions in worker processes, cut off for real, and closed when they end."""

import asyncio
import os
from pathlib import Path

import orjson
import pytest

from openenv.protocol import Fault, GetState, JsonRpc, JsonRpcReply, Observed, Reset, StateIs, Step
from tests.server import hazards
from tests.server.hazards import AsyncHazard, Hazard
from tests.server.isolated import FLAVOURS, HI, Tables, comes_true, do, fault, is_running, observed, pid_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_each_request_has_its_kind_of_reply(tables: Tables, flavour: type[Hazard]) -> None:
    session = await tables(flavour).open()
    requests = (Reset({"episode_id": "e7"}), HI, GetState(), JsonRpc({"id": 3}))
    reset, hi, state, rpc = [await session.perform(request) for request in requests]
    assert observed(reset)["echoed_message"] == "ready"
    assert isinstance(hi, Observed)
    assert (hi.reward, hi.done, hi.truncated) == (0.2, False, False)
    assert isinstance(state, StateIs)
    assert orjson.loads(orjson.dumps(state.state)) == {"episode_id": "e7", "step_count": 1}
    assert isinstance(rpc, JsonRpcReply)
    assert rpc.payload["id"] == 3
    assert observed(hi)["metadata"]["pid"] != os.getpid()


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_wrong_action_is_refused_by_the_worker_and_the_session_lives(
    tables: Tables, flavour: type[Hazard]
) -> None:
    session = await tables(flavour).open()
    wrong = await session.perform(Step({"massage": "Hi"}))
    assert fault(wrong) == ("VALIDATION_ERROR", "Invalid message")
    assert isinstance(wrong, Fault)
    assert wrong.details["errors"][0]["loc"] == ["message"]
    assert fault(await do(session, "raise")) == ("EXECUTION_ERROR", "asked to")
    assert fault(await do(session, "memory_error")) == ("EXECUTION_ERROR", "asked to")
    assert observed(await session.perform(HI))["metadata"]["step"] == 1


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_observation_of_eight_megabytes_arrives_whole(tables: Tables, flavour: type[Hazard]) -> None:
    session = await tables(flavour).open()
    assert len(observed(await do(session, "big"))["pixels"]) == 8 * 1024 * 1024
    assert observed(await session.perform(HI))["echoed_message"] == "Hi"


async def test_what_a_worker_logs_is_logged_here(tables: Tables, caplog: pytest.LogCaptureFixture) -> None:
    session = await tables(Hazard).open()
    await do(session, "print hello")
    await do(session, "raise")
    await comes_true(lambda: "asked to" in caplog.text)
    assert "logged hello" in caplog.text
    assert "Traceback" in caplog.text
    assert "tests/server/hazards.py" in caplog.text


async def test_metadata_is_asked_of_a_worker_when_the_class_says_more(tables: Tables) -> None:
    assert (await tables(hazards.Described).metadata()).name == "seldom described"
    table = tables(Hazard)
    assert (await table.metadata()).name == "Hazard"
    assert table.active == 0


# ---- calls that hang


@pytest.mark.parametrize("message", ["hang", "spin", "hold", "freeze"])
@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_step_past_its_limit_is_killed_for_real_and_its_place_is_free(
    tables: Tables, flavour: type[Hazard], message: str
) -> None:
    table = tables(flavour, env_workers=2, max_sessions=2, queue_s=8.0)
    other, hung = await table.open(), await table.open()
    pid = await pid_of(hung)
    code, sentence = fault(await do(hung, message, timeout_s=0.2))
    assert (code, sentence) == ("TIMED_OUT", "The call did not finish within 0.2 s, and its session is lost.")
    table.end(hung, sentence)
    third = await table.open()
    if not (flavour is AsyncHazard and message == "hang"):  # a coroutine can be cancelled
        await comes_true(lambda: not is_running(pid))
    assert observed(await third.perform(HI))["metadata"]["step"] == 1
    assert observed(await other.perform(HI))["metadata"]["step"] == 1


async def test_limit_of_the_server_holds_too(tables: Tables) -> None:
    session = await tables(Hazard, step_timeout_s=0.2).open()
    assert fault(await do(session, "hang"))[0] == "TIMED_OUT"
    assert fault(await session.perform(HI))[0] == "SESSION_ENDED"


async def test_neighbours_of_a_hung_call_live_on_and_no_newcomer_joins_them(tables: Tables) -> None:
    table = tables(Hazard, env_workers=1)
    hung, neighbour = await table.open(), await table.open()
    pid = await pid_of(hung)
    await do(hung, "hang", timeout_s=0.2)
    await table.end(hung, "it hung")
    assert table.active == 1
    assert await pid_of(neighbour) == pid
    newcomer = await table.open()
    assert await pid_of(newcomer) != pid
    await table.end(neighbour, "it is over")
    await comes_true(lambda: not is_running(pid))
    assert observed(await newcomer.perform(HI))["metadata"]["step"] == 2


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_call_that_holds_a_whole_worker_up_ends_it(tables: Tables, flavour: type[Hazard]) -> None:
    table = tables(flavour, env_workers=1)
    hung, neighbour = await table.open(), await table.open()
    await do(hung, "hold", timeout_s=0.2)
    waiting = asyncio.create_task(neighbour.perform(HI))
    await table.end(hung, "it hung")
    assert fault(await waiting) == (
        "EXECUTION_ERROR",
        "The environment is gone: its worker process was killed: "
        "a call in it went on after it was cut off, and held everything up.",
    )
    assert await pid_of(await table.open())


async def test_caller_that_goes_away_frees_the_place_of_a_hung_call(tables: Tables) -> None:
    table = tables(Hazard)
    session = await table.open()
    pid = await pid_of(session)
    call = asyncio.create_task(do(session, "hang"))
    await comes_true(lambda: session.is_busy)
    call.cancel()
    await asyncio.wait({call})
    await table.end(session, "its client disconnected")
    await comes_true(lambda: not is_running(pid))
    assert table.active == 0


# ---- ends


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_environment_is_closed_when_its_session_ends(
    tables: Tables, flavour: type[Hazard], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAZARD_CLOSED", str(tmp_path / "closed"))
    table = tables(flavour)
    session, forgotten = await table.open(), await table.open()
    pids = [await pid_of(session), await pid_of(forgotten)]
    await table.end(session, "it is over")
    assert (tmp_path / "closed").read_text() == f"{pids[0]}\n"
    await table.close()
    assert (tmp_path / "closed").read_text() == f"{pids[0]}\n{pids[1]}\n"
    await comes_true(lambda: not any(map(is_running, pids)))


async def test_end_of_the_server_does_not_wait_for_what_hangs(tables: Tables) -> None:
    table = tables(Hazard, drain_s=0.2)
    session = await table.open()
    pid = await pid_of(session)
    call = asyncio.create_task(do(session, "hang"))
    await comes_true(lambda: session.is_busy)
    await table.close()
    assert not is_running(pid)
    assert fault(await call) == (
        "EXECUTION_ERROR", "The environment is gone: its worker process was killed: the server stopped."
    )  # fmt: skip
