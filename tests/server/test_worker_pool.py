"""`openenv.server.worker_pool`: where sessions go, and what happens where no worker can be started."""

import asyncio
import importlib
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from openenv.env import EnvironmentMetadata
from openenv.errors import FactoryFailed
from openenv.server.slots import SharedSlots
from tests.server import hazards
from tests.server.hazards import AsyncHazard, Hazard, InlineHazard
from tests.server.isolated import FLAVOURS, HI, Tables, comes_true, is_running, observed, pid_of

pytestmark = pytest.mark.anyio


async def test_blocking_environments_get_a_process_each(tables: Tables) -> None:
    table = tables(Hazard)
    sessions = [await table.open() for _ in range(3)]
    pids = [await pid_of(session) for session in sessions]
    assert len(set(pids)) == 3
    await table.end(sessions[0], "it is over")
    await comes_true(lambda: not is_running(pids[0]))
    assert await pid_of(await table.open()) not in pids


@pytest.mark.parametrize("flavour", [InlineHazard, AsyncHazard])
async def test_others_share_as_many_as_there_are_cores(tables: Tables, flavour: type[Hazard]) -> None:
    table = tables(flavour)
    sessions = [await table.open() for _ in range(8)]
    pids = {await pid_of(session) for session in sessions}
    assert len(pids) == min(len(os.sched_getaffinity(0)), 8)


@pytest.mark.parametrize(
    ("flavour", "settings", "workers"),
    [(InlineHazard, {}, 2), (InlineHazard, {"env_workers": 3}, 3), (Hazard, {}, 4)],
)
async def test_servers_behind_one_port_divide_the_cores_unless_workers_were_counted(
    tables: Tables,
    flavour: type[Hazard],
    settings: dict[str, int],
    workers: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)))
    table = tables(flavour, **settings)
    SharedSlots.create(tmp_path / "slots", 3)
    slots = SharedSlots(tmp_path / "slots", 1)
    table.share(slots, "1-")
    sessions = [await table.open() for _ in range(4)]
    assert len({await pid_of(session) for session in sessions}) == workers
    for session in sessions:
        await table.end(session, "it is over")
    slots.close()


@pytest.mark.parametrize("flavour", FLAVOURS)
async def test_sessions_go_where_the_fewest_are(tables: Tables, flavour: type[Hazard]) -> None:
    table = tables(flavour, env_workers=2)
    sessions = [await table.open() for _ in range(4)]
    pids = [await pid_of(session) for session in sessions]
    assert sorted(pids.count(pid) for pid in set(pids)) == [2, 2]
    crowded = pids[0]
    for session, pid in zip(sessions, pids, strict=True):
        if pid != crowded:
            await table.end(session, "it is over")
    assert {await pid_of(await table.open()) for _ in range(2)} == set(pids) - {crowded}


@pytest.mark.slow
async def test_thousand_sessions_live_in_two_workers(tables: Tables) -> None:
    table = tables(InlineHazard, env_workers=2, max_sessions=1000)
    sessions = await asyncio.gather(*(table.open() for _ in range(1000)))
    pids = await asyncio.gather(*(pid_of(session) for session in sessions))
    assert sorted(pids.count(pid) for pid in set(pids)) == [500, 500]
    for count in (2, 3):
        replies = await asyncio.gather(*(session.perform(HI) for session in sessions))
        assert {observed(reply)["metadata"]["step"] for reply in replies} == {count}
    await asyncio.gather(*(table.end(session, "it is over") for session in sessions))
    assert table.active == 0


# ---- starts that fail


async def test_factory_that_raises_is_a_fault_and_may_be_tried_again_at_once(
    tables: Tables, caplog: pytest.LogCaptureFixture
) -> None:
    table = tables(hazards.build_nothing)
    for _ in range(2):
        with pytest.raises(FactoryFailed) as raised:
            await table.open()
        assert (raised.value.exception, raised.value.details["cause"]) == ("OSError", "no display")
        assert "Another try" not in str(raised.value)
    assert table.active == 0
    caplog.clear()


@pytest.mark.parametrize(
    ("given", "cause"),
    [
        (partial(hazards.build_crash, 4), "died: exit code 4"),
        (partial(hazards.build_crash, 0), "died: exit code 0"),
    ],
)
async def test_worker_that_dies_of_what_it_builds_is_not_started_for_ever(
    tables: Tables, given: Any, cause: str, caplog: pytest.LogCaptureFixture
) -> None:
    table = tables(given)
    with pytest.raises(FactoryFailed, match=cause):
        await table.open()
    with pytest.raises(FactoryFailed, match=rf"{cause}.* Another try is made in 0\.[0-9] s"):
        await table.open()
    assert table.active == 0
    caplog.clear()


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ("import no_such_module", "No module named 'no_such_module'"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("import os; os._exit(5)", "exit code 5, while the environment's modules were imported"),
    ],
)
async def test_module_that_does_not_import_in_a_worker_is_named(
    tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, cause: str,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    name = f"fragile_{abs(hash(body))}"
    module = tmp_path / f"{name}.py"
    module.write_text("from tests.server.hazards import Hazard as Base\nclass Fragile(Base): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    fragile = importlib.import_module(name).Fragile
    module.write_text(body)
    table = tables(fragile)
    with pytest.raises(FactoryFailed) as raised:
        await table.open()
    assert cause in str(raised.value)
    with pytest.raises(FactoryFailed, match="Another try is made in"):
        await table.open()
    caplog.clear()


async def test_opening_given_up_leaves_nobody_behind(tables: Tables) -> None:
    table = tables(Hazard)
    opening = asyncio.create_task(table.open())
    await asyncio.sleep(0)
    opening.cancel()
    await asyncio.wait({opening})
    await comes_true(lambda: table.active == 0)
    assert isinstance(await table.metadata(), EnvironmentMetadata)
