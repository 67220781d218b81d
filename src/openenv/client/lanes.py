"""Which lanes of a link have a session; several, once one was forked. Pure."""

import itertools
from typing import Generic, TypeVar

__all__ = ["LANE", "Lanes"]

LANE = 0
"""The lane of the session that a link was opened for."""

LinkT = TypeVar("LinkT")


class Lanes(Generic[LinkT]):
    """A link, and the lanes that are in use. Any thread may call any method.

    Attributes:
        link: The link.
    """

    def __init__(self, link: LinkT) -> None:
        self.link = link
        self._used = {LANE}
        self._numbers = itertools.count(LANE + 1)  # a number is never used again, whatever of it is still on its way

    def take(self, count: int) -> tuple[int, ...]:
        """Take lanes that were never used."""
        taken = tuple(itertools.islice(self._numbers, count))
        self._used.update(taken)
        return taken

    def leave(self, *lanes: int) -> bool:
        """Give lanes back, and tell whether they were the last, so that the link has no user any more."""
        self._used.difference_update(lanes)
        return not self._used
