"""One thread for all idle sync connections of the process: it answers pings and notices servers that have gone.

A sync client reads its socket only during a call, and a trainer may be away for minutes. Servers that ping would take
it for dead. So every half second this thread looks at each connection that nobody uses, and for another where one has
ended; with none left to look after, the thread ends.
"""

import atexit
import os
import threading
import weakref
from typing import Protocol

__all__ = ["POLL_S", "unwatch", "watch"]

POLL_S = 0.5
"""Seconds between looks; well under the ping time-outs in use (20 s by default)."""


class _Tended(Protocol):
    def tend(self) -> None: ...
    def forget(self) -> None: ...
    def leave(self) -> None: ...


_lock = threading.Lock()
_watched: "weakref.WeakSet[_Tended]" = weakref.WeakSet()
_wake = threading.Event()
_thread: threading.Thread | None = None


def watch(link: _Tended) -> None:
    """Tend `link` until it is garbage collected or `unwatch`ed."""
    global _thread
    with _lock:
        _watched.add(link)
        _wake.clear()
        if _thread is None:
            _thread = threading.Thread(target=_run, name="openenv-keeper", daemon=True)
            _thread.start()


def unwatch(link: _Tended) -> None:
    """Stop tending `link`."""
    with _lock:
        _watched.discard(link)
        if not _watched:
            _wake.set()


def _run() -> None:
    global _thread
    while True:
        _wake.wait(POLL_S)
        with _lock:
            links = list(_watched)
            if not links:
                _thread = None
                return
        while links:
            links.pop().tend()


@atexit.register
def _leave() -> None:
    """At the end of the process, say goodbye: servers would keep the sessions for us to come back."""
    for link in list(_watched):
        link.leave()


def _forget_in_child() -> None:
    """After a fork the thread is the parent's, and so are the connections."""
    global _lock, _thread, _wake, _watched
    links = list(_watched)
    # Another thread of the parent may have been using any of these.
    _lock, _thread, _wake, _watched = threading.Lock(), None, threading.Event(), weakref.WeakSet()
    for link in links:
        link.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)
