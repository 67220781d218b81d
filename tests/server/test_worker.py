"""`openenv.server.worker`: a worker process that dies, in whatever way, costs its sessions and nothing else."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from openenv.errors import UnknownSession
from openenv.server.session import SessionState
from tests.server.hazards import Hazard
from tests.server.isolated import FLAVOURS, HI, Tables, comes_true, do, fault, is_running, observed, pid_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize(
    ("message", "cause"),
    [
        ("segfault", "killed by signal 11 (SIGSEGV)"),
        ("exit 3", "exit code 3"),
        ("exit 0", "exit code 0"),
        ("memory", "killed by signal 9 (SIGKILL)"),
    ],
)
async def test_crash_is_a_fault_that_says_how_and_costs_that_worker_only(
    tables: Tables, flavour: type[Hazard], message: str, cause: str, caplog: pytest.LogCaptureFixture
) -> None:
    table = tables(flavour, env_workers=2, max_sessions=2, queue_s=0.0)
    doomed, other = await table.open(attached=True), await table.open(attached=True)
    assert fault(await do(doomed, message)) == (
        "EXECUTION_ERROR", f"The environment is gone: its worker process died: {cause}."
    )  # fmt: skip
    code, why = fault(await doomed.perform(HI))
    assert (code, why.partition(" has ended: ")[2]) == ("SESSION_ENDED", f"its worker process died: {cause}")
    with pytest.raises(UnknownSession, match="its worker process died"):
        table.find(doomed.id)
    await comes_true(lambda: table.active == 1)
    third = await table.open()
    assert len({await pid_of(other), await pid_of(third)}) == 2
    assert observed(await other.perform(HI))["metadata"]["step"] == 2
    assert f"died ({cause}), and 1 sessions with it" in caplog.text
    caplog.clear()


async def test_crash_ends_every_session_of_its_worker_and_their_calls(
    tables: Tables, caplog: pytest.LogCaptureFixture
) -> None:
    table = tables(Hazard, env_workers=1)
    doomed, busy, idle = [await table.open() for _ in range(3)]
    call = asyncio.create_task(do(busy, "hang"))
    assert fault(await do(doomed, "segfault"))[0] == "EXECUTION_ERROR"
    assert fault(await call)[0] == "EXECUTION_ERROR"
    assert fault(await idle.perform(HI))[0] == "SESSION_ENDED"
    await comes_true(lambda: table.active == 0)
    caplog.clear()


async def test_worker_killed_from_outside_during_a_step(
    tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    entered = tmp_path / "entered"
    os.mkfifo(entered)
    monkeypatch.setenv("HAZARD_ENTERED", str(entered))
    session = await tables(Hazard).open()
    pid = await pid_of(session)
    call = asyncio.create_task(do(session, "announced hang"))
    await asyncio.to_thread(entered.read_text)
    os.kill(pid, signal.SIGKILL)
    assert "killed by signal 9 (SIGKILL)" in fault(await call)[1]
    caplog.clear()


async def test_worker_that_says_what_is_no_reply_is_killed(tables: Tables, caplog: pytest.LogCaptureFixture) -> None:
    session = await tables(Hazard).open()
    code, message = fault(await do(session, "gibberish"))
    assert (code, message) == (
        "EXECUTION_ERROR", "The environment is gone: its worker process was killed: it said what is no reply."
    )  # fmt: skip
    caplog.clear()


async def test_worker_that_closes_its_socket_is_killed(tables: Tables, caplog: pytest.LogCaptureFixture) -> None:
    session = await tables(Hazard).open()
    assert fault(await do(session, "mute"))[0] == "EXECUTION_ERROR"
    caplog.clear()


async def test_what_an_environment_has_started_ends_with_its_worker(
    tables: Tables, caplog: pytest.LogCaptureFixture
) -> None:
    session = await tables(Hazard).open()
    child = int(observed(await do(session, "offspring"))["echoed_message"])
    assert is_running(child)
    await do(session, "exit 1")
    await comes_true(lambda: not is_running(child))
    caplog.clear()


async def test_death_of_the_process_they_come_from_is_survived(
    tables: Tables, caplog: pytest.LogCaptureFixture
) -> None:
    table = tables(Hazard)
    session = await table.open()
    nursery = int(observed(await do(session, "parent"))["echoed_message"])
    os.kill(nursery, signal.SIGKILL)
    await comes_true(lambda: session.state is not SessionState.OPEN)
    assert "it was forked from has ended (killed by signal 9" in fault(await session.perform(HI))[1]
    assert await pid_of(await table.open())
    caplog.clear()
