"""`openenv.server.sessions`: opened within the limit, found by id, ended once."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest

from openenv.env import EnvironmentMetadata, EnvironmentSource
from openenv.errors import AtCapacity, ConfigurationError, FactoryFailed, UnknownSession
from openenv.protocol import GetState, Reset, Step
from openenv.server import ServerConfig
from openenv.server.session import Session, SessionState
from openenv.server.sessions import SessionTable
from openenv.server.slots import LocalSlots
from tests.server.stage import AsyncStaged, InlineStaged, Stage, Staged
from tests.support.echo import EchoAction, EchoEnvironment

pytestmark = pytest.mark.anyio

HI = Step({"message": "Hi"})


class Tables:
    """Makes tables, and closes them with the test."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.made: list[SessionTable] = []

    def __call__(self, given: Any, **settings: Any) -> SessionTable:
        if isinstance(given, type) and issubclass(given, Staged):
            given = partial(given, self.stage)
        defaults: dict[str, Any] = {"queue_s": 5.0, "drain_s": 3.0}
        config = ServerConfig(**(defaults | settings))
        self.made.append(SessionTable(EnvironmentSource(given), EchoAction, config))
        return self.made[-1]


@pytest.fixture
async def tables(stage: Stage) -> AsyncIterator[Tables]:
    tables = Tables(stage)
    yield tables
    stage.release()
    for table in tables.made:
        await table.close()


async def entered(stage: Stage, method: str, times: int = 1) -> None:
    await asyncio.to_thread(stage.expect, method, times)


def why_gone(find: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(UnknownSession) as raised:
        find()
    return raised.value.code, raised.value.message


# ---- opening


async def test_limit_of_a_class_that_promises_nothing_is_one(tables: Tables) -> None:
    class Lonely(InlineStaged):
        SUPPORTS_CONCURRENT_SESSIONS = False

    assert tables(Lonely).limit == 1
    assert tables(InlineStaged).limit == 64
    with pytest.raises(ConfigurationError, match="SUPPORTS_CONCURRENT_SESSIONS"):
        tables(Lonely, max_sessions=2)


async def test_bare_factory_learns_its_limit_from_the_first_it_builds(tables: Tables) -> None:
    stage = tables.stage
    stage.held = {"init"}
    table = tables(lambda: Staged(stage))
    assert table.limit == 1
    opening = [asyncio.create_task(table.open()) for _ in range(3)]
    await entered(stage, "init")
    assert (stage.count("init"), table.active) == (1, 1)  # one at a time until the class is known
    stage.release()
    await asyncio.gather(*opening)
    assert (table.limit, table.active) == (64, 3)


async def test_bare_factory_of_a_class_that_cannot_bear_the_limit_is_refused_each_time(
    tables: Tables, caplog: pytest.LogCaptureFixture
) -> None:
    class Lonely(Staged):
        SUPPORTS_CONCURRENT_SESSIONS = False

    table = tables(lambda: Lonely(tables.stage), max_sessions=4)
    for _ in range(2):
        with pytest.raises(FactoryFailed, match="SUPPORTS_CONCURRENT_SESSIONS"):
            await table.open()
    assert (tables.stage.count("init"), tables.stage.count("close"), table.active) == (2, 2, 0)
    caplog.clear()


async def test_factory_that_raises_gives_its_place_back(tables: Tables) -> None:
    def broken() -> EchoEnvironment:
        raise OSError("no display")

    table = tables(broken, max_sessions=1, queue_s=0.0)
    for _ in range(2):
        with pytest.raises(FactoryFailed):
            await table.open()
    assert table.active == 0


async def test_opening_given_up_during_the_build_is_closed_and_counts_until_then(tables: Tables) -> None:
    stage = tables.stage
    stage.held = {"init"}
    table = tables(Staged, max_sessions=1, queue_s=0.0)
    opening = asyncio.create_task(table.open(attached=True))
    await entered(stage, "init")
    opening.cancel()
    await asyncio.wait({opening})
    with pytest.raises(AtCapacity):
        await table.open()
    stage.release()
    await entered(stage, "close")
    assert stage.count("init") == 1


async def test_worker_of_several_marks_its_ids_and_shares_its_count(tables: Tables) -> None:
    table, slots = tables(InlineStaged, max_sessions=2), LocalSlots()
    table.share(slots, "3-")
    session = await table.open()
    assert session.id.startswith("3-")
    assert (slots.own, table.active) == (1, 1)


async def test_worker_of_several_signs_as_the_others_do_unless_it_is_told_how(tables: Tables) -> None:
    told, free = tables(InlineStaged, snapshot_key="of its own"), tables(InlineStaged)
    for table in (told, free):
        table.share(LocalSlots(), "3-", "of all workers")
    assert (told.config.snapshot_key, free.config.snapshot_key) == ("of its own", "of all workers")


# ---- threads


async def test_sync_environment_keeps_one_thread_from_constructor_to_close(tables: Tables) -> None:
    stage, table = tables.stage, tables(Staged)
    sessions = [await table.open() for _ in range(2)]
    assert len(stage.threads("init")) == 2
    for session in sessions:
        for request in (Reset(), HI, GetState()):
            await session.perform(request)
    await asyncio.gather(*(table.end(session, "over") for session in sessions))
    assert len(stage.threads()) == 2
    assert threading.current_thread() not in stage.threads()


@pytest.mark.parametrize("bare", [False, True])
async def test_single_threaded_class_shares_one_thread(tables: Tables, bare: bool) -> None:
    class Browser(Staged):
        REQUIRES_SINGLE_THREAD_EXECUTOR = True

    stage = tables.stage
    table = tables((lambda: Browser(stage)) if bare else Browser)
    for _ in range(3):
        session = await table.open()
        await session.perform(HI)
        await table.end(session, "over")
    (thread,) = stage.threads()
    await table.close()
    await asyncio.to_thread(thread.join, 5)
    assert not thread.is_alive()


async def test_inline_environment_never_leaves_the_loop(tables: Tables) -> None:
    before = threading.active_count()
    table = tables(InlineStaged)
    sessions = [await table.open() for _ in range(20)]
    await asyncio.gather(*(session.perform(HI) for session in sessions))
    assert tables.stage.threads() == {threading.current_thread()}
    assert threading.active_count() == before


async def test_async_environment_is_built_read_and_closed_off_the_loop(tables: Tables) -> None:
    stage, table = tables.stage, tables(AsyncStaged)
    session = await table.open()
    for request in (Reset(), HI, GetState()):
        await session.perform(request)
    await table.end(session, "over")
    loop = threading.current_thread()
    assert stage.threads("reset", "step") == {loop}
    assert loop not in stage.threads("init", "state", "close")


# ---- finding


async def test_session_is_found_by_its_id_until_it_ends_and_then_says_why(tables: Tables) -> None:
    table = tables(InlineStaged)
    session = await table.open()
    assert table.find(session.id) is session
    await table.end(session, "it was deleted")
    code, message = why_gone(lambda: table.find(session.id))
    assert (code, "it was deleted" in message) == ("SESSION_ENDED", True)
    assert why_gone(lambda: table.find("nobody's"))[0] == "SESSION_NOT_FOUND"


async def test_reasons_of_the_latest_only_are_remembered(tables: Tables) -> None:
    table = tables(InlineStaged)
    first = await table.open()
    await table.end(first, "over")
    for _ in range(4096):
        await table.end(await table.open(), "over")
    assert why_gone(lambda: table.find(first.id))[0] == "SESSION_NOT_FOUND"


async def test_anonymous_session_belongs_to_its_address(tables: Tables) -> None:
    table = tables(InlineStaged)
    ours, same, theirs = await asyncio.gather(*(table.anonymous(address) for address in ("a", "a", "b")))
    assert ours is same is table.find_anonymous("a")
    assert theirs is not ours
    assert table.find_anonymous("c") is None


async def test_anonymous_session_that_ended_is_not_silently_replaced(tables: Tables) -> None:
    table = tables(InlineStaged)
    session = await table.anonymous("a")
    await table.end(session, "it was deleted")
    assert why_gone(lambda: table.find_anonymous("a"))[0] == "SESSION_ENDED"
    with pytest.raises(UnknownSession):
        await table.anonymous("a")
    table.forget("a")
    assert await table.anonymous("a") is not session


async def test_anonymous_session_found_by_its_id_is_its_callers_own(tables: Tables) -> None:
    table = tables(InlineStaged)
    session = await table.anonymous("a")
    table.find(session.id)
    assert table.find_anonymous("a") is None
    assert session.owner is None


# ---- making room


async def test_anonymous_session_that_was_idle_longest_gives_way(tables: Tables) -> None:
    table = tables(InlineStaged, max_sessions=2)
    older, newer = await table.anonymous("a"), await table.anonymous("b")
    table.find_anonymous("a")  # which is use
    await table.open()
    assert (older.state, newer.state) == (SessionState.OPEN, SessionState.CLOSED)
    code, message = why_gone(lambda: table.find_anonymous("b"))
    assert (code, "its place was needed" in message) == ("SESSION_ENDED", True)


async def test_session_of_somebodys_own_never_gives_way(tables: Tables) -> None:
    table = tables(InlineStaged, max_sessions=1, queue_s=0.01)
    own = await table.open()
    with pytest.raises(AtCapacity):
        await table.anonymous("a")
    assert own.state is SessionState.OPEN


async def test_busy_anonymous_session_gives_way_once_it_is_idle(tables: Tables) -> None:
    stage, table = tables.stage, tables(Staged, max_sessions=1)
    anonymous = await table.anonymous("a")
    stage.held = {"step"}
    stepping = asyncio.create_task(anonymous.perform(HI))
    await entered(stage, "step")
    opening = asyncio.create_task(table.open())
    await asyncio.sleep(0)
    table.make_room()
    assert stage.count("close") == 0
    stage.release()
    await stepping
    table.make_room()
    assert await opening is not anonymous
    assert anonymous.state is SessionState.CLOSED


async def test_nobody_gives_way_when_nobody_waits(tables: Tables) -> None:
    table = tables(InlineStaged, max_sessions=1)
    anonymous = await table.anonymous("a")
    table.make_room()
    assert anonymous.state is SessionState.OPEN


# ---- ending


async def test_ending_twice_gives_one_place_back(tables: Tables) -> None:
    table = tables(InlineStaged, max_sessions=2)
    session, _ = await table.open(), await table.open()
    await asyncio.gather(table.end(session, "once"), table.end(session, "twice"))
    assert table.active == 1
    assert "once" in why_gone(lambda: table.find(session.id))[1]


async def test_place_of_a_thread_that_still_runs_stays_taken(tables: Tables) -> None:
    stage, table = tables.stage, tables(Staged, max_sessions=1, queue_s=0.0)
    stage.held = {"step"}
    session = await table.open()
    await session.perform(Step({"message": "x"}, 0.02))
    ending = table.end(session, "it ran too long")
    with pytest.raises(AtCapacity):
        await table.open()
    stage.release()
    await ending
    await table.open()


async def test_instance_serves_one_session_after_another_and_is_never_closed(tables: Tables) -> None:
    table = tables(Staged(tables.stage), queue_s=0.0)
    assert table.limit == 1
    session = await table.open()
    await session.perform(HI)
    with pytest.raises(AtCapacity):
        await table.open()
    await table.end(session, "over")
    session = await table.open()
    await session.perform(HI)
    await table.close()
    assert [name for name, _ in tables.stage.calls] == ["init", "step", "step"]


# ---- idling


async def test_idle_session_is_closed_and_says_why(tables: Tables) -> None:
    table = tables(InlineStaged, idle_s=0.02)
    session, anonymous = await table.open(), await table.anonymous("a")
    await entered(tables.stage, "close", 2)
    for find in (lambda: table.find(session.id), lambda: table.find_anonymous("a")):
        assert "it was idle for 0.02 s" in why_gone(find)[1]
    assert anonymous.state is SessionState.CLOSED


async def test_session_under_a_connection_or_in_a_call_does_not_expire(tables: Tables) -> None:
    stage, table = tables.stage, tables(Staged, idle_s=0.02)
    attached, busy = await table.open(attached=True), await table.open()
    stage.held = {"step"}
    stepping = asyncio.create_task(busy.perform(HI))
    await entered(stage, "step")
    await table.open()
    await entered(stage, "close")  # the third has expired ...
    await table.open()
    await entered(stage, "close", 2)  # ... and so has the fourth
    assert (attached.state, busy.state) == (SessionState.OPEN, SessionState.OPEN)
    stage.release()
    await stepping


# ---- describing


class Describing(Staged):
    def get_metadata(self) -> EnvironmentMetadata:
        self.stage.enter("get_metadata")
        return EnvironmentMetadata(name="Hand-made")


async def test_class_that_does_not_describe_itself_is_described_without_building(tables: Tables) -> None:
    assert (await tables(Staged).metadata()).name == "Staged"
    assert tables.stage.calls == []


async def test_environment_is_built_once_to_describe_itself_and_closed(tables: Tables) -> None:
    table = tables(Describing, max_sessions=1)
    described = await asyncio.gather(*(table.metadata() for _ in range(5)))
    assert {one.name for one in described} == {"Hand-made"}
    await entered(tables.stage, "close")
    assert [name for name, _ in tables.stage.calls] == ["init", "get_metadata", "close"]
    assert threading.current_thread() not in tables.stage.threads()


async def test_idle_session_is_asked_rather_than_another_one_built(tables: Tables) -> None:
    table = tables(Describing)
    await table.open()
    assert (await table.metadata()).name == "Hand-made"
    assert tables.stage.count("init") == 1


async def test_busy_session_is_waited_for_only_when_there_is_no_room(tables: Tables) -> None:
    stage = tables.stage
    stage.held = {"step"}
    roomy, full = tables(Describing, max_sessions=2), tables(Describing, max_sessions=1)
    calls = [asyncio.create_task((await table.open()).perform(HI)) for table in (roomy, full)]
    await entered(stage, "step", 2)
    assert (await roomy.metadata()).name == "Hand-made"
    asking = asyncio.create_task(full.metadata())
    await asyncio.sleep(0.02)
    assert not asking.done()
    stage.release()
    assert (await asking).name == "Hand-made"
    await asyncio.gather(*calls)


async def test_session_that_ends_before_it_was_asked_is_replaced(tables: Tables) -> None:
    stage, table = tables.stage, tables(Describing, max_sessions=1)
    stage.held = {"step"}
    session = await table.open()
    call = asyncio.create_task(session.perform(HI))
    await entered(stage, "step")
    asking = asyncio.create_task(table.metadata())
    await asyncio.sleep(0)
    table.end(session, "over")
    stage.release()
    assert (await asking).name == "Hand-made"
    assert stage.count("init") == 2
    await call


# ---- stopping


async def test_close_ends_every_session_and_opens_no_other(tables: Tables) -> None:
    table = tables(Staged)
    sessions: list[Session] = [await table.open(), await table.open(attached=True), await table.anonymous("a")]
    await table.close()
    assert {session.state for session in sessions} == {SessionState.CLOSED}
    assert (tables.stage.count("close"), table.active) == (3, 0)
    with pytest.raises(AtCapacity, match="shutting down"):
        await table.open()


async def test_close_waits_for_what_is_being_built_and_closes_it(tables: Tables) -> None:
    stage, table = tables.stage, tables(Staged)
    stage.held = {"init"}
    opening = asyncio.create_task(table.anonymous("a"))
    await entered(stage, "init")
    closing = asyncio.create_task(table.close())
    await asyncio.sleep(0)
    stage.release()
    await closing
    assert stage.count("close") == 1
    assert (await opening).state is SessionState.CLOSED


@pytest.mark.parametrize("hung", ["close", "step", "init"])
async def test_close_does_not_wait_for_ever(tables: Tables, caplog: pytest.LogCaptureFixture, hung: str) -> None:
    stage, table = tables.stage, tables(Staged, drain_s=0.0)
    stage.held = {hung}
    opening = asyncio.create_task(table.open())
    if hung == "step":
        asyncio.get_running_loop().create_task((await opening).perform(HI))
    if hung == "close":
        await opening
    else:
        await entered(stage, hung)
    await table.close()
    assert "1 environments had not closed" in caplog.text
    stage.release()
    await asyncio.wait({opening})
    await entered(stage, "close")


async def test_drain_waits_for_calls_under_way_but_not_for_ever(
    tables: Tables, caplog: pytest.LogCaptureFixture
) -> None:
    stage = tables.stage
    patient, hasty = tables(Staged), tables(Staged, drain_s=0.02)
    stage.held = {"step"}
    calls = [asyncio.create_task((await table.open()).perform(HI)) for table in (patient, hasty)]
    await entered(stage, "step", 2)
    await hasty.drain()
    assert "drain_s=0.02 is over" in caplog.text
    draining = asyncio.create_task(patient.drain())
    await asyncio.sleep(0.02)
    assert not draining.done()
    stage.release()
    await draining
    assert all(call.done() for call in calls)
