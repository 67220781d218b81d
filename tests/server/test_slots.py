"""`openenv.server.slots`: no more sessions than allowed, whoever counts, and whoever crashes."""

import multiprocessing
import signal
from collections.abc import Iterator
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path

import pytest

from openenv.server.slots import LocalSlots, SharedSlots, Slots

SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    path = tmp_path / "slots"
    SharedSlots.create(path, 3)
    return path


@pytest.fixture(params=["local", "shared"])
def slots(request: pytest.FixtureRequest, counts: Path) -> Iterator[Slots]:
    if request.param == "local":
        yield LocalSlots()
        return
    shared = SharedSlots(counts, 1)
    yield shared
    shared.close()


def test_no_more_are_taken_than_the_limit(slots: Slots) -> None:
    assert [slots.take(2) for _ in range(4)] == [True, True, False, False]
    assert (slots.taken, slots.own) == (2, 2)


def test_a_place_that_is_given_back_can_be_taken_again(slots: Slots) -> None:
    assert slots.take(1)
    slots.give()
    assert (slots.taken, slots.own) == (0, 0)
    assert slots.take(1)


def test_the_limit_holds_for_all_processes_together(counts: Path) -> None:
    one, other = SharedSlots(counts, 0), SharedSlots(counts, 2)
    assert [one.take(3), other.take(3), one.take(3), other.take(3)] == [True, True, True, False]
    assert (one.taken, one.own, other.taken, other.own) == (3, 2, 3, 1)
    other.give()
    assert one.take(3)
    assert not other.take(3)
    one.close()
    other.close()


def test_what_a_crashed_process_had_open_is_free_once_it_is_replaced(counts: Path) -> None:
    survivor, crashed = SharedSlots(counts, 0), SharedSlots(counts, 1)
    assert survivor.take(3)
    assert crashed.take(3)
    assert crashed.take(3)
    crashed.close()
    assert survivor.taken == 3
    replacement = SharedSlots(counts, 1)
    assert (survivor.taken, replacement.own) == (1, 0)
    survivor.close()
    replacement.close()


def _contend(path: Path, index: int, start: Barrier) -> None:
    """Be one of three who share two places, fail on seeing more of them taken, and keep a place in the end."""
    slots = SharedSlots(path, index)
    start.wait(15)
    for _ in range(5000):
        if slots.take(2):
            assert slots.taken <= 2
            slots.give()
    start.wait(15)
    assert slots.take(3)
    slots.close()


def test_processes_in_contention_never_exceed_the_limit_nor_lose_count(counts: Path) -> None:
    start = SPAWN.Barrier(3)
    processes = [SPAWN.Process(target=_contend, args=(counts, index, start)) for index in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(15)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert list(memoryview(counts.read_bytes()).cast("i")) == [1, 1, 1]


class _Stuck(int):
    """A limit that is never done comparing."""

    held: Event

    def __le__(self, other: int) -> bool:  # `taken >= limit` asks this, with the lock held
        self.held.set()
        signal.pause()
        return False


def _hold_the_lock(path: Path, held: Event) -> None:
    limit = _Stuck(3)
    limit.held = held
    SharedSlots(path, 0).take(limit)


def test_a_process_killed_while_it_counts_does_not_stop_the_others(counts: Path) -> None:
    held = SPAWN.Event()
    process = SPAWN.Process(target=_hold_the_lock, args=(counts, held))
    process.start()
    assert held.wait(15)
    process.kill()
    process.join(5)
    slots = SharedSlots(counts, 1)
    assert slots.take(1)
    slots.close()
