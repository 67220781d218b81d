import gc
import threading

from openenv.client import keeper


class Idle:
    """A connection nobody uses; counts the looks."""

    def __init__(self, enough: int = 1) -> None:
        self.looks = 0
        self.seen = threading.Event()
        self._enough = enough

    def tend(self) -> None:
        self.looks += 1
        if self.looks >= self._enough:
            self.seen.set()

    def leave(self) -> None:
        raise AssertionError("the process does not end")

    def forget(self) -> None:
        raise AssertionError("nobody forked")


def keepers() -> int:
    return sum(thread.name == "openenv-keeper" for thread in threading.enumerate())


def test_idle_connections_are_looked_at_by_one_thread() -> None:
    links = [Idle(), Idle(), Idle()]
    for link in links:
        keeper.watch(link)
    assert all(link.seen.wait(5) for link in links)
    assert keepers() == 1
    for link in links:
        keeper.unwatch(link)


def test_connection_that_is_garbage_is_not_kept() -> None:
    keeper.watch(Idle())
    gc.collect()
    assert not list(keeper._watched)  # and the thread ends, or the fixture of every test would complain


def test_connection_that_closes_as_another_opens_does_not_make_the_thread_spin() -> None:
    first, second = Idle(), Idle()
    keeper.watch(first)
    keeper.unwatch(first)
    keeper.watch(second)
    assert second.seen.wait(5)
    threading.Event().wait(keeper.POLL_S)
    assert second.looks < 10
    keeper.unwatch(second)


def test_thread_starts_again_after_it_has_ended() -> None:
    for _ in range(2):
        link = Idle()
        keeper.watch(link)
        assert link.seen.wait(5)
        keeper.unwatch(link)
        thread = keeper._thread
        if thread is not None:
            thread.join(5)
        assert keepers() == 0
