"""Waiting for whichever of several links has something to be read."""

import selectors
from collections.abc import Sequence

from openenv.client.link import Link

__all__ = ["Watch"]

_LOOK_S = 0.05
"""How often a link without a connection is looked after while others are waited for."""


class Watch:
    """The connections of several links. They are registered once, since there may be hundreds."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._registered: dict[int, Link] = {}

    def wait(self, links: Sequence[Link], limit_s: float | None) -> None:
        """Wait until something has arrived, and let the links take it.

        Args:
            links: The links of which something is expected.
            limit_s: How long to wait; None for ever.
        """
        for descriptor, link in list(self._registered.items()):
            if link.fileno() != descriptor:
                del self._registered[descriptor]
                self._selector.unregister(descriptor)
        for link in links:
            found = link.fileno()
            if found is None:
                link.tend()  # it looks for another connection
                limit_s = _LOOK_S if limit_s is None else min(limit_s, _LOOK_S)
            elif found not in self._registered:
                self._registered[found] = link
                self._selector.register(found, selectors.EVENT_READ)
        for key, _ in self._selector.select(limit_s):
            self._registered[key.fd].tend()

    def close(self) -> None:
        """Forget them all."""
        self._selector.close()
