"""An environment whose observations hold arrays of every kind, and whose actions take them."""

import os
from typing import Any

import numpy
from numpy.typing import NDArray

from openenv import Action, Environment, Observation, State

__all__ = ["PAGES", "Album", "Page", "SlowAlbum", "Turn"]

PAGES: list[NDArray[Any]] = [
    *(numpy.arange(6).reshape(2, 3).astype(kind) for kind in "?bBhHiIqQefd"),
    numpy.arange(24, dtype="<f8").reshape(2, 3, 4).transpose(2, 0, 1),
    numpy.asfortranarray(numpy.arange(6, dtype="<i4").reshape(2, 3)),
    numpy.arange(10, dtype="<i2")[::-3],
    numpy.arange(3, dtype=">f4"),
    numpy.zeros((0, 3), "<f4"),
    numpy.zeros((2, 0, 4), "|u1"),
    numpy.array([-0.0, 5e-324, numpy.finfo("f8").max]),
    numpy.array([2**63 - 1, -(2**63)]),
    numpy.broadcast_to(numpy.array([1, 2], "|u1"), (3, 2)),
]
"""What an album shows, page after page."""


class Turn(Action):
    """Show a page; or say what `given` is, as it arrived. Page -1 is the end of the process."""

    page: int = 0
    given: NDArray[Any] | None = None


class Page(Observation):
    """A page."""

    shown: Any = None
    beside: Any = None


class Album(Environment[Turn, Page, State]):
    """Shows `PAGES`; past the last one there is an array with NaN."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def reset(self) -> Page:
        return Page(shown=PAGES[0], beside=[PAGES[1], 1])

    def step(self, action: Turn) -> Page:
        if action.given is not None:
            array = action.given
            return Page(beside=[type(array).__name__, array.dtype.str, list(array.shape), array.tobytes().hex()])
        if action.page == -1:
            os._exit(4)
        if action.page == len(PAGES):
            return Page(shown=numpy.array([[1.0, numpy.nan]]))
        return Page(shown=PAGES[action.page], beside=numpy.full(2, action.page))

    @property
    def state(self) -> State:
        return State()


class SlowAlbum(Album):
    """The same, on a thread of its own."""

    BLOCKING = True
