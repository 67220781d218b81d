"""`openenv.server.snapshots`: sessions are saved, restored and forked, and only bytes of our own are ever read."""

import asyncio
import logging
import pickle
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from openenv.errors import BadSnapshot, LocalError
from openenv.protocol import (
    Fault,
    Fork,
    Forked,
    GetSnapshot,
    GetState,
    Observed,
    Reset,
    Restore,
    Restored,
    SnapshotIs,
    StateIs,
    Step,
)
from openenv.server import ServerConfig, create_app
from openenv.server.sessions import SessionTable
from openenv.server.snapshots import SnapshotSeal
from tests.server.lanes import Client
from tests.support.dice import AsyncDice, Dice, OtherDice, Roll, Rolled, ThreadedDice
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation
from tests.support.serving import serving

KEY = "a key that only tests would use"
FLAVOURS = [Dice, ThreadedDice, AsyncDice]


def app_of(environment: Any = Dice, **settings: Any) -> FastAPI:
    defaults: dict[str, Any] = {"max_sessions": 16, "queue_s": 0, "snapshot_key": KEY}
    config = ServerConfig(**(defaults | settings))
    return create_app(environment, Roll, Rolled, config=config)


@pytest.fixture(scope="module")
def dice() -> Iterator[str]:
    with serving(app_of()) as url:
        yield url


@pytest.fixture(autouse=True)
def gate() -> Iterator[None]:
    for kind in FLAVOURS:
        kind.gate.clear()
        kind.entered.clear()
        kind.saved.clear()
    yield
    Dice.gate.set()


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """For tests whose environments raise, which the server logs."""
    yield
    caplog.clear()


def roll(client: Client, lane: int, **action: Any) -> int:
    reply = client.ask(Step(action), lane)
    assert isinstance(reply, Observed), reply
    value: int = reply.observation["value"]
    return value


def snapshot(client: Client, lane: int) -> bytes:
    reply = client.ask(GetSnapshot(), lane)
    assert isinstance(reply, SnapshotIs), reply
    return reply.snapshot


def fork(client: Client, lane: int, *lanes: int) -> Forked:
    reply = client.ask(Fork(lanes), lane)
    assert isinstance(reply, Forked), reply
    return reply


def code_of(reply: Any) -> str:
    assert isinstance(reply, Fault), reply
    return reply.code


# ---- what they are for


@pytest.mark.parametrize("isolation", ["thread", "process"])
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_fork_goes_on_from_the_same_state_to_the_same_future(flavour: type[Dice], isolation: str) -> None:
    with serving(app_of(flavour, isolation=isolation)) as url, Client(url) as client:
        client.lanes(0)
        client.ask(Reset({"seed": 5}), 0)
        roll(client, 0)
        assert fork(client, 0, 1, 2).errors == {}
        futures = [[roll(client, lane) for _ in range(5)] for lane in (0, 1, 2)]
        assert futures[0] == futures[1] == futures[2]
        assert len(set(futures[0])) > 1
        assert client.ask(GetState(), 2) == StateIs({"episode_id": None, "step_count": 6})
        roll(client, 1)
        assert client.ask(GetState(), 2) == StateIs({"episode_id": None, "step_count": 6})


@pytest.mark.parametrize("isolation", ["thread", "process"])
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_snapshot_restores_its_own_session_and_another_link_s(flavour: type[Dice], isolation: str) -> None:
    with serving(app_of(flavour, isolation=isolation)) as url, Client(url) as client, Client(url) as other:
        client.lanes(0)
        other.lanes(7)
        client.ask(Reset({"seed": 5}), 0)
        saved = snapshot(client, 0)
        future = [roll(client, 0) for _ in range(5)]
        assert client.ask(Restore(saved), 0) == Restored()
        assert other.ask(Restore(saved), 7) == Restored()
        assert [roll(client, 0) for _ in range(5)] == future
        assert [roll(other, 7) for _ in range(5)] == future


def test_saving_runs_where_the_other_calls_run() -> None:
    with serving(app_of(ThreadedDice)) as url, Client(url) as client:
        client.lanes(0)
        snapshot(client, 0)
        fork(client, 0, 1)
        (thread,) = set(ThreadedDice.saved)
        assert thread.name.startswith("openenv-environment")


def test_what_is_sent_ahead_waits_for_the_fork(dice: str) -> None:
    with Client(dice) as client:
        client.lanes(0)
        calls = [client.begin(Reset({"seed": 5}), 0), client.begin(Fork((1,)), 0)]
        steps = [client.begin(Step({}), lane) for lane in (1, 0)]
        assert isinstance(client.reply(calls[1]), Forked)
        one, zero = (client.reply(step) for step in steps)
        assert isinstance(one, Observed)
        assert isinstance(zero, Observed)
        assert one.observation == zero.observation


def test_a_snapshot_of_a_fork_is_not_bounded_by_what_a_frame_holds(dice: str) -> None:
    with Client(dice) as client:
        client.lanes(0)
        roll(client, 0, mood="large")
        assert code_of(client.ask(GetSnapshot(), 0)) == "TOO_LARGE"
        assert fork(client, 0, 1).errors == {}
        assert roll(client, 0) == roll(client, 1)


def test_the_schema_says_who_can() -> None:
    for environment, can in ((Dice, True), (EchoEnvironment, False)):
        app = create_app(environment, EchoAction, EchoObservation)
        with serving(app) as url:
            assert ("snapshot" in httpx.get(f"{url}/schema").json()["capabilities"]) is can


# ---- bytes of others


def forged(snapshot: bytes) -> list[bytes]:
    """Damage a snapshot in every way that matters; the last is the attack that the seal is for."""
    middle = len(snapshot) // 2
    changed = snapshot[:middle] + bytes([snapshot[middle] ^ 1]) + snapshot[middle + 1 :]
    attack = pickle.dumps(Attack())
    return [b"", b"x", snapshot[:-1], snapshot[:20], changed, snapshot + b"x", attack, snapshot[:36] + attack]


class Attack:
    """Runs code in whoever unpickles it."""

    ran: list[int] = []  # noqa: RUF012  # never changed but by an attack that works

    def __reduce__(self) -> Any:
        return Attack.ran.append, (1,)


def test_bytes_that_are_not_ours_are_never_read_and_do_no_harm(dice: str) -> None:
    with Client(dice) as client:
        client.lanes(0)
        client.ask(Reset({"seed": 5}), 0)
        saved = snapshot(client, 0)
        future = [roll(client, 0) for _ in range(3)]
        client.ask(Restore(saved), 0)
        for damaged in forged(saved):
            assert code_of(client.ask(Restore(damaged), 0)) == "BAD_SNAPSHOT"
        assert Attack.ran == []
        assert [roll(client, 0) for _ in range(3)] == future


def test_a_snapshot_of_a_server_with_another_key_is_not_ours(dice: str) -> None:
    with serving(app_of(snapshot_key=None)) as url, Client(url) as stranger, Client(dice) as client:
        stranger.lanes(0)
        client.lanes(0)
        fault = client.ask(Restore(snapshot(stranger, 0)), 0)
        assert isinstance(fault, Fault)
        assert "OPENENV_SNAPSHOT_KEY" in fault.message


@pytest.mark.parametrize("environment", [OtherDice, EchoEnvironment])
def test_a_snapshot_of_another_class_is_refused(dice: str, environment: Any) -> None:
    with serving(app_of(environment)) as url, Client(url) as other, Client(dice) as client:
        client.lanes(0)
        other.lanes(0)
        refused = other.ask(Restore(snapshot(client, 0)), 0)
        assert code_of(refused) == ("NOT_SUPPORTED" if environment is EchoEnvironment else "BAD_SNAPSHOT")
        assert isinstance(other.ask(GetState(), 0), StateIs)


def test_two_servers_with_one_key_take_each_other_s(dice: str) -> None:
    with serving(app_of()) as url, Client(url) as other, Client(dice) as client:
        client.lanes(0)
        other.lanes(0)
        assert other.ask(Restore(snapshot(client, 0)), 0) == Restored()
        assert roll(client, 0) == roll(other, 0)


def test_a_seal_is_of_its_key_and_of_every_byte() -> None:
    seal = SnapshotSeal(KEY)
    assert SnapshotSeal(KEY).open(seal.seal(b"state")) == b"state"
    for other in (SnapshotSeal(None), SnapshotSeal(KEY + "!")):
        with pytest.raises(BadSnapshot):
            other.open(seal.seal(b"state"))
    for damaged in forged(seal.seal(b"state")):
        with pytest.raises(BadSnapshot):
            seal.open(damaged)


# ---- environments that cannot, or fail


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_a_class_without_snapshots_refuses_and_goes_on(isolation: str) -> None:
    config = ServerConfig(isolation=isolation)
    with serving(create_app(EchoEnvironment, EchoAction, EchoObservation, config=config)) as url, Client(url) as client:
        client.lanes(0)
        for request in (GetSnapshot(), Fork((1,))):
            fault = client.ask(request, 0)
            assert isinstance(fault, Fault)
            assert (fault.code, "EchoEnvironment" in fault.message) == ("NOT_SUPPORTED", True)
        assert isinstance(client.ask(Step({"message": "Hi"}), 0), Observed)
        assert code_of(client.ask(GetState(), 1)) == "SESSION_NOT_FOUND"


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("isolation", ["thread", "process"])
@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize(("mood", "code"), [("locked", "NOT_SUPPORTED"), ("raise", "EXECUTION_ERROR")])
def test_a_snapshot_that_fails_leaves_the_session_alone(
    flavour: type[Dice], isolation: str, mood: str, code: str
) -> None:
    with serving(app_of(flavour, isolation=isolation)) as url, Client(url) as client:
        client.lanes(0)
        roll(client, 0, mood=mood)
        assert code_of(client.ask(GetSnapshot(), 0)) == code
        assert code_of(client.ask(Fork((1, 2)), 0)) == code
        assert code_of(client.ask(GetState(), 1)) == "SESSION_NOT_FOUND"
        assert client.ask(GetState(), 0) == StateIs({"episode_id": None, "step_count": 1})
        client.lanes(1)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("isolation", ["thread", "process"])
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_session_that_is_restored_by_half_is_lost_and_says_so(flavour: type[Dice], isolation: str) -> None:
    with serving(app_of(flavour, isolation=isolation)) as url, Client(url) as client:
        client.lanes(0)
        roll(client, 0, mood="break")
        saved = snapshot(client, 0)
        forked = fork(client, 0, 1)
        assert forked.errors[1].code == "RESTORE_FAILED"
        roll(client, 0)  # whoever is forked is not restored
        fault = client.ask(Restore(saved), 0)
        assert isinstance(fault, Fault)
        assert fault.code == "RESTORE_FAILED"
        assert fault.details["exception"] == "ValueError"
        assert "half way" in fault.message
        assert code_of(client.ask(Step({}), 0)) == "SESSION_ENDED"
        client.close_lanes(0)
        client.lanes(0, 1)


# ---- limits, and who may


def test_a_fork_beyond_the_limit_fails_for_the_lanes_that_have_no_room() -> None:
    app = app_of(max_sessions=3)
    with serving(app) as url, Client(url) as client:
        client.lanes(0)
        forked = fork(client, 0, 1, 2, 3, 4)
        assert {fault.code for fault in forked.errors.values()} == {"CAPACITY_REACHED"}
        assert len(forked.errors) == 2
        (one, other) = {1, 2, 3, 4} - forked.errors.keys()
        assert roll(client, 0) == roll(client, one) == roll(client, other)
        client.close_lanes(one)
        (late,) = list(forked.errors)[:1]
        assert fork(client, other, late).errors == {}
        assert roll(client, late) == roll(client, other)


def test_new_lanes_that_are_taken_fail_alone(dice: str) -> None:
    with Client(dice) as client:
        client.lanes(0, 1)
        assert {lane: fault.code for lane, fault in fork(client, 0, 1, 2).errors.items()} == {1: "VALIDATION_ERROR"}
        assert isinstance(client.ask(GetState(), 2), StateIs)


@pytest.mark.parametrize("request_", [GetSnapshot(), Restore(b""), Fork((1,))])
def test_a_token_that_may_step_may_not_save(request_: Any) -> None:
    app = app_of(token="boss", agent_token="agent")
    headers = {"Authorization": "Bearer agent"}
    with serving(app) as url, Client(url, additional_headers=headers) as client:
        client.lanes(0)
        assert code_of(client.ask(request_, 0)) == "FORBIDDEN"
        assert isinstance(client.ask(Step({}), 0), Observed)


def test_a_snapshot_larger_than_a_frame_is_no_request_of_ours(dice: str) -> None:
    with Client(dice) as client:
        client.lanes(0)
        with pytest.raises(LocalError, match="bytes"):
            client.ask(Restore(bytes(13_000_000)), 0)


# ---- sockets that break, callers that leave


@pytest.mark.parametrize("seed", range(4))
def test_forks_over_sockets_that_are_cut_are_made_exactly_once(seed: int) -> None:
    app = app_of(ThreadedDice, max_sessions=64)
    table: SessionTable = app.state.openenv
    with serving(app) as url, Client(url) as client:
        client.lanes(0)
        client.ask(Reset({"seed": seed}), 0)
        for index in range(1, 40, 2):
            call = client.begin(Fork((index, index + 1)), 0)
            step = client.begin(Step({}), 0)
            if (index + seed) % 3:
                client.cut()
                client.connect()
            forked = client.reply(call)
            assert isinstance(forked, Forked)
            assert forked.errors == {}
            client.reply(step)
        assert table.active == 41
        totals = [client.ask(GetState(), lane) for lane in range(1, 41)]
        steps = [reply.state["step_count"] for reply in totals if isinstance(reply, StateIs)]
        assert steps == [index // 2 for index in range(40)]


def test_a_client_that_leaves_while_it_forks_leaves_nothing_behind() -> None:
    app = app_of(ThreadedDice, grace_s=0)
    table: SessionTable = app.state.openenv
    with serving(app) as url:
        client = Client(url)
        client.lanes(0)
        roll(client, 0, mood="wait")
        client.begin(Fork((1, 2, 3)), 0)
        assert ThreadedDice.entered.wait(5)
        client.cut()
        Dice.gate.set()
        client.link.close()
        with suppress(OSError):
            client.__exit__()
        became_empty(table)


def became_empty(table: SessionTable) -> None:
    for _ in range(500):
        if not table.active:
            return
        threading.Event().wait(0.01)
    pytest.fail(f"{table.active} sessions were left")


def test_a_restore_past_its_limit_loses_its_session() -> None:
    app = app_of(ThreadedDice, step_timeout_s=0.2)
    with serving(app) as url, Client(url) as client:
        client.lanes(0)
        roll(client, 0, mood="wait")
        forked = fork(client, 0, 1)
        assert forked.errors[1].code == "TIMED_OUT"
        Dice.gate.set()
        assert isinstance(client.ask(GetState(), 0), StateIs)


def test_a_fork_that_is_cancelled_opens_nothing_and_spares_its_source() -> None:
    app = app_of(ThreadedDice)
    table: SessionTable = app.state.openenv
    with serving(app) as url, Client(url) as client:
        client.lanes(0)
        roll(client, 0, mood="wait")
        call = client.begin(Fork((1, 2)), 0)
        assert ThreadedDice.entered.wait(5)
        client.cancel(call)
        forked = client.reply(call)
        Dice.gate.set()
        assert isinstance(forked, Forked)
        assert {fault.code for fault in forked.errors.values()} == {"CANCELLED"}
        assert isinstance(client.ask(GetState(), 0), StateIs)
        for _ in range(500):
            if table.active == 1:
                break
            threading.Event().wait(0.01)
        assert table.active == 1


@pytest.mark.anyio
async def test_an_instance_that_serves_one_session_can_be_saved() -> None:
    app = app_of(Dice(), max_sessions=None)
    table: SessionTable = app.state.openenv
    async with asyncio.timeout(5):
        session = await table.open()
        saved = await session.serve(GetSnapshot())
        assert isinstance(saved, SnapshotIs)
        assert await session.serve(Restore(saved.snapshot)) == Restored()
        await table.close()


def test_the_log_says_nothing_of_a_snapshot(dice: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG), Client(dice) as client:
        client.lanes(0)
        saved = snapshot(client, 0)
        client.ask(Restore(saved), 0)
        assert repr(saved) not in caplog.text
    assert "state" not in repr(SnapshotIs(b"state"))
