"""Waiting for what another process brings about, without a fixed sleep."""

import threading
import time
from collections.abc import Callable

__all__ = ["until"]

_LOOK_S = 0.05


def until(done: Callable[[], object], within_s: float = 15) -> bool:
    """Wait until `done` gives something true, and say whether it did in time."""
    deadline = time.monotonic() + within_s
    while not done():
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(_LOOK_S)
    return True
