"""`openenv.server.admission`: a limit, and a fair, bounded queue before it."""

import asyncio
from pathlib import Path

import pytest

from openenv.errors import AtCapacity
from openenv.server.admission import Admission
from openenv.server.slots import SharedSlots

pytestmark = pytest.mark.anyio


def admission(limit: int | None = 1, *, queue_s: float = 5.0, max_queue: int = 8) -> Admission:
    return Admission(limit, queue_s=queue_s, max_queue=max_queue)


async def waiting(admission: Admission, *names: str, order: list[str] | None = None) -> list[asyncio.Task[None]]:
    """Let some newcomers join the queue, one after the other; each puts its name into `order` when it is let in."""

    async def come(name: str) -> None:
        await admission.enter()
        if order is not None:
            order.append(name)

    tasks = []
    for name in names:
        tasks.append(asyncio.create_task(come(name)))
        await turn()
    return tasks


async def turn() -> None:
    """Let everybody go on who can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_refusal_says_how_full_it_is_and_when_to_come_again() -> None:
    full = admission(2, queue_s=0.0)
    await full.enter()
    await full.enter()
    assert full.is_full
    with pytest.raises(AtCapacity) as refused:
        await full.enter()
    assert refused.value.details == {"active_sessions": 2, "max_sessions": 2, "retry_after_s": 5.0}
    assert full.taken == full.taken_here == 2


async def test_queue_is_first_come_first_served() -> None:
    full, order = admission(1), list[str]()
    await full.enter()
    await waiting(full, "a", "b", "c", order=order)
    for _ in range(3):
        full.leave()
        await turn()
    assert order == ["a", "b", "c"]


async def test_newcomer_does_not_overtake_those_who_wait() -> None:
    full, order = admission(1), list[str]()
    await full.enter()
    tasks = await waiting(full, "first", order=order)
    full.leave()  # the place is free, and promised
    tasks += await waiting(full, "late", order=order)
    assert order == ["first"]
    full.leave()
    await asyncio.gather(*tasks)
    assert order == ["first", "late"]


async def test_queue_is_bounded_in_number() -> None:
    full = admission(1, max_queue=1)
    await full.enter()
    (patient,) = await waiting(full, "a")
    with pytest.raises(AtCapacity):
        await full.enter()
    full.leave()
    await patient


async def test_wait_is_bounded_in_time() -> None:
    full = admission(1, queue_s=0.01)
    await full.enter()
    with pytest.raises(AtCapacity):
        await full.enter()
    assert not full.has_queue


async def test_who_gives_up_leaves_the_queue() -> None:
    full, order = admission(1), list[str]()
    await full.enter()
    first, second = await waiting(full, "a", "b", order=order)
    first.cancel()
    full.leave()
    await second
    assert order == ["b"]
    assert first.cancelled()


@pytest.mark.parametrize("early", [True, False])
async def test_place_of_one_who_gives_up_in_the_same_moment_goes_to_the_next(early: bool) -> None:
    full, order = admission(1), list[str]()
    await full.enter()
    first, second = await waiting(full, "a", "b", order=order)
    if early:
        first.cancel()
    full.leave()
    if not early:
        first.cancel()
    await second
    assert order == ["b"]
    assert full.taken == 1


async def test_higher_limit_lets_in_those_who_wait() -> None:
    unknown, order = admission(None), list[str]()
    assert (unknown.limit, unknown.knows_limit) == (1, False)
    await unknown.enter()
    await waiting(unknown, "a", "b", "c", order=order)
    unknown.limit = 3
    await turn()
    assert (order, unknown.knows_limit) == (["a", "b"], True)
    unknown.leave()
    await turn()
    assert order == ["a", "b", "c"]


async def test_closing_refuses_those_who_wait_and_whoever_comes_after() -> None:
    full = admission(1)
    await full.enter()
    (patient,) = await waiting(full, "a")
    gone, _ = await waiting(full, "b", "c")
    gone.cancel()
    full.close()
    assert full.is_closed
    for attempt in (patient, full.enter()):
        with pytest.raises(AtCapacity, match="shutting down"):
            await attempt
    await asyncio.gather(gone, _, return_exceptions=True)


async def test_place_that_another_process_gives_back_is_noticed(tmp_path: Path) -> None:
    SharedSlots.create(tmp_path / "slots", 2)
    ours, theirs = admission(1), admission(1)
    slots = [SharedSlots(tmp_path / "slots", index) for index in range(2)]
    for one, count in zip((ours, theirs), slots, strict=True):
        one.share(count)
    await theirs.enter()
    assert (ours.is_full, ours.taken, ours.taken_here) == (True, 1, 0)
    order: list[str] = []
    (patient,) = await waiting(ours, "a", order=order)
    theirs.leave()
    (late,) = await waiting(ours, "b", order=order)  # who must not overtake, though a place is free already
    await patient
    assert (order, theirs.taken, theirs.taken_here) == (["a"], 1, 0)
    ours.leave()
    await late
    for count in slots:
        count.close()
