"""Starting a runtime, and starting it again, told by the calls it makes back."""

import queue
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from openenv.errors import EngineFailed, NotInstalled
from openenv.pool import mending
from openenv.pool.mending import ATTEMPTS, Mender
from openenv.runtimes import Runtime, RuntimeState
from tests.pool.stage import Killable

Said = queue.Queue[tuple[str, str]]


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mending, "_FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(mending, "_END_S", 0.2)


@contextmanager
def mender_of(runtime: Runtime) -> Iterator[tuple[Mender, Said]]:
    said: Said = queue.Queue()
    mender = Mender(
        runtime,
        on_start=lambda: said.put(("start", "")),
        on_up=lambda url: said.put(("up", url)),
        on_gone=lambda why: said.put(("gone", why)),
    )
    yield mender, said
    mender.close()
    assert runtime.state is not RuntimeState.RUNNING


def wait_for(mender: Mender) -> None:
    assert mender._thread is not None
    mender._thread.join(10)


def test_a_server_that_lives_is_left_alone() -> None:
    runtime = Killable()
    with mender_of(runtime) as (mender, said):
        mender.mend()
        assert [said.get(timeout=10)[0] for _ in range(2)] == ["start", "up"]
        assert mender.died() is None
        wait_for(mender)
        mender.mend()
        wait_for(mender)
        assert said.empty()
        assert runtime.starts == 1


def test_praise_makes_earlier_failures_count_no_more() -> None:
    runtime = Killable()
    with mender_of(runtime) as (mender, said):
        mender.mend()
        for _ in range(ATTEMPTS + 1):
            assert [said.get(timeout=10)[0] for _ in range(2)] == ["start", "up"]
            mender.praise()
            runtime.kill()
            wait_for(mender)
            mender.mend()
        assert said.get(timeout=10)[0] == "start"
        assert said.get(timeout=10)[0] == "up"


def test_what_is_not_installed_is_not_tried_again() -> None:
    class Absent(Killable):
        def _launch(self) -> str:
            self.starts += 1
            raise NotInstalled("there is no engine")

    runtime = Absent()
    with mender_of(runtime) as (mender, said):
        mender.mend()
        assert said.get(timeout=10)[0] == "start"
        kind, why = said.get(timeout=10)
        assert kind == "gone"
        assert "given up after 1 starts: there is no engine" in why
        assert runtime.starts == 1


def test_one_that_cannot_be_asked_how_it_ended_is_taken_to_live() -> None:
    class Mute(Killable):
        def died(self) -> str | None:
            raise EngineFailed("the engine does not answer")

    runtime = Mute()
    with mender_of(runtime) as (mender, said):
        runtime.start()
        mender.mend()
        wait_for(mender)
        assert said.empty()


def test_after_close_nothing_is_started() -> None:
    runtime = Killable()
    with mender_of(runtime) as (mender, said):
        mender.close()
        mender.mend()
        assert said.empty()
        assert runtime.starts == 0
