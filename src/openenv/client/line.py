"""A sync client's line to its server: one session after another, and never a second one silently.

`line_aio` has the same two classes with the same methods, awaited.
"""

import threading
from contextlib import suppress
from typing import Any

from openenv.client.conversation import BEGINS, CLOSE_S, Answered, Asked, Conversation, Fate
from openenv.client.endpoint import Endpoint
from openenv.client.lanes import LANE, Lanes
from openenv.client.link import Link
from openenv.errors import OpenEnvError
from openenv.protocol import CloseLanes, Fork

__all__ = ["Line", "Session"]


class Session:
    """One session, and a link that it shares with those that are forked from it. Any thread may call any method.

    Args:
        endpoint: Where the server is.
        lanes: The link to share; a new one if not given. Raises as `Link` does.
        lane: Where the session is on it.
    """

    def __init__(self, endpoint: Endpoint, lanes: Lanes[Link] | None = None, lane: int = LANE) -> None:
        self._endpoint = endpoint = endpoint.located()
        self._turn = threading.Lock()
        self._lanes = lanes or Lanes(Link(endpoint))
        self._lane = lane
        self.link = self._lanes.link
        is_forked = lanes is not None
        self._conversation = Conversation(endpoint, self.link.half, self.link.extensions, is_forked=is_forked)
        if self._conversation.opening is not None:
            self.link.ask(self._conversation.opening, None, self._conversation.take_opened)

    @property
    def is_used(self) -> bool:
        """Whether anything was asked, so that there may be an episode."""
        return self._conversation.is_used

    def is_fresh(self) -> bool:
        """Whether another episode may begin in it; looks at what has arrived meanwhile."""
        self.link.tend()
        return self._conversation.is_fresh

    def is_ready(self) -> bool:
        """Whether another episode may begin in it at once, without another connection; looks as `is_fresh` does."""
        self.link.tend()
        return self._conversation.is_ready

    def exchange(self, request: Asked) -> Answered:
        """Ask and wait for the reply; requests are carried out one after another.

        Raises:
            RemoteFault: The session never began, because the server refused it.
            ReplyTimeout: No reply came in time; in dialect 1 the session is broken by it.
            SessionLost: The session is gone; in dialect 1 also by an earlier request that was abandoned.
            SessionClosed: It was closed.
            UnsupportedByServer: The server has no place for an argument.
        """
        with self._turn:
            if not self._conversation.is_numbered:
                self.link.tend()  # what came unasked must not be mistaken for the answer to what is asked next
            request, limit_s = self._conversation.prepare(request)
            return self._conversation.take(self.link.exchange(request, self._lane, limit_s))

    def fork(self, count: int) -> "list[Session]":
        """Begin as many sessions in the state of this one, or none. Raises as `exchange` does."""
        with self._turn:
            lanes = self._lanes.take(count)
            try:
                request, limit_s = self._conversation.prepare(Fork(lanes))
                self._conversation.take_forked(self.link.exchange(request, self._lane, limit_s))
            except BaseException:  # Ctrl-C too: whatever has begun, or still will, is nobody's
                self._lanes.leave(*lanes)
                with suppress(OpenEnvError):  # the link is gone, and they with it
                    self.link.ask(CloseLanes(lanes), None, lambda reply: None)
                raise
        return [Session(self._endpoint, self._lanes, lane) for lane in lanes]

    def close(self) -> None:
        """End the session, and the link if it is the last on it. Waits for an exchange that another thread has."""
        with self._turn:
            if self._lanes.leave(self._lane):
                self.link.close()
                return
            with suppress(OpenEnvError):  # as above
                self.link.exchange(CloseLanes((self._lane,)), None, CLOSE_S)


class Line:
    """What a client talks through: opens a session when one is needed, and never a second one silently."""

    def __init__(self, endpoint: Endpoint, fate: Fate, session: Session | None = None) -> None:
        self._endpoint = endpoint
        self._fate = fate
        self._lock = threading.Lock()
        self._session = session

    @property
    def is_used(self) -> bool:
        """Whether there may be an episode."""
        return self._session is not None and self._session.is_used

    @property
    def is_ready(self) -> bool:
        """Whether there is a session in which another episode may begin at once."""
        return self._session is not None and self._session.is_ready()

    def connect(self) -> None:
        """Open a session unless there is one; also after `close`. Raises as `Session` does."""
        with self._lock:
            self._session = self._session or Session(self._endpoint)
            self._fate.reopen()

    def ask(self, request: Asked) -> Answered:
        """Ask and wait for the reply. A reset replaces a session that is lost. Raises as `Session.exchange` does."""
        return self._session_for(request).exchange(request)

    def fork(self, count: int) -> list[Session]:
        """Begin as many sessions in the state of this one, or none. Raises as `Session.exchange` does."""
        return self._session_for(Fork(())).fork(count)

    def _session_for(self, request: Asked) -> Session:
        with self._lock:
            self._fate.check(request)
            session = self._session
            if session is None or (isinstance(request, BEGINS) and not session.is_fresh()):
                session, old = Session(self._endpoint), session
                if old is not None:
                    old.close()
                self._session = session
                self._fate.reopen()
        return session

    def disconnect(self) -> None:
        """End the session; a reset begins another."""
        if self.is_used:
            self._fate.disconnect()
        self._hang_up()

    def close(self) -> None:
        """End the session for good."""
        self._fate.close()
        self._hang_up()

    def _hang_up(self) -> None:
        with self._lock:
            session, self._session = self._session, None
        if session is not None:
            session.close()

    def __getstate__(self) -> Any:
        raise TypeError("a client that was used cannot be pickled; make one in each process")
