"""A sync client's line to its server: one exchange at a time, whoever asks, on one connection after another.

`aio` has the same two classes with the same methods, awaited.
"""

import threading
from typing import Any

from openenv.client import keeper
from openenv.client.blocking import BlockingSocket
from openenv.client.conversation import Conversation, Fate, lost
from openenv.client.endpoint import Endpoint
from openenv.errors import ConnectionLost, SessionLost
from openenv.protocol import Close, Reply, Request, Reset

__all__ = ["Line", "Link"]


class Link:
    """One connection and its conversation. Any thread may call any method.

    Raises:
        ConnectFailed: No connection could be made.
        Refused: The server does not let us in.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._socket = BlockingSocket(endpoint)
        self._conversation = Conversation(endpoint, self._socket.extensions)
        keeper.watch(self)

    @property
    def is_used(self) -> bool:
        """Whether anything was asked, so that there may be an episode."""
        return self._conversation.session.used

    def is_usable(self) -> bool:
        """Whether another request may be asked; looks at what has arrived meanwhile."""
        self.tend()
        return self._conversation.is_usable

    def exchange(self, request: Request) -> Reply:
        """Ask and wait for the reply.

        Raises:
            ReplyTimeout: None came in time; the session is broken by it.
            SessionLost: The connection ended, or an earlier request was abandoned (then a SessionBroken).
            SessionClosed: The link was closed.
            UnsupportedByServer: The server has no place for an argument.
        """
        with self._lock:
            session = self._conversation.session
            self._catch_up()
            request, limit_s = self._conversation.prepare(request)
            call = session.ask(request)
            try:
                self._socket.send(call.frame)
                while True:
                    answered = session.receive(self._socket.receive(limit_s))
                    if answered is not None:
                        return answered[1]
            except ConnectionLost as error:
                raise self._lose(error) from error
            except TimeoutError:
                expired = self._conversation.expired(request, limit_s)
                session.abandon(call, expired)
                raise expired from None
            except BaseException as error:  # Ctrl-C above all: the reply may still come, and must reach nobody
                session.abandon(call, error)
                raise
            finally:
                if not self._conversation.is_usable:
                    self._socket.drop()

    def tend(self) -> None:
        """Keep an idle connection alive; does nothing while an exchange is under way."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._catch_up()
        finally:
            self._lock.release()

    def close(self) -> None:
        """End the session and the connection. Waits for an exchange that another thread has under way."""
        with self._lock:
            if self._conversation.is_usable:
                self._say_goodbye()
            self._conversation.session.close()
            self._socket.drop()
        keeper.unwatch(self)

    def forget(self) -> None:
        """In a forked child: let the connection be the parent's. Two readers would get each other's replies."""
        self._lock = threading.Lock()  # the parent's may be held, by a thread that does not exist here
        self._conversation.session.lose(ConnectionLost("this process was forked from the one that holds the session"))
        self._socket.drop()

    def _catch_up(self) -> None:
        """Take in what came unasked, so that it is not mistaken for the answer to what is asked next."""
        try:
            if self._conversation.is_usable:
                self._socket.tend()
                while (frame := self._socket.take()) is not None:
                    self._conversation.take_stray(frame)
        except Exception as error:  # noqa: BLE001  # whatever it is, the next call must hear of it
            self._conversation.session.lose(error)
        finally:
            if not self._conversation.is_usable:
                self._socket.drop()

    def _say_goodbye(self) -> None:
        try:
            self._socket.send(self._conversation.session.ask(Close()).frame)
            self._socket.close()
        except ConnectionLost:
            pass  # it ended by itself

    def _lose(self, error: ConnectionLost) -> SessionLost:
        self._conversation.session.lose(error)
        return lost(self._endpoint, error)


class Line:
    """What a client talks through: opens a link when one is needed, and never a second one silently."""

    def __init__(self, endpoint: Endpoint, fate: Fate) -> None:
        self._endpoint = endpoint
        self._fate = fate
        self._lock = threading.Lock()
        self._link: Link | None = None

    @property
    def is_used(self) -> bool:
        """Whether there may be an episode."""
        return self._link is not None and self._link.is_used

    def connect(self) -> None:
        """Open a link unless there is one; also after `close`. Raises as `Link` does."""
        with self._lock:
            self._link = self._link or Link(self._endpoint)
            self._fate.reopen()

    def ask(self, request: Request) -> Reply:
        """Ask and wait for the reply. A reset replaces a link that is lost. Raises as `Link` and `Link.exchange` do."""
        with self._lock:
            self._fate.check(request)
            link = self._link
            if link is None or (isinstance(request, Reset) and not link.is_usable()):
                link, old = Link(self._endpoint), link
                if old is not None:
                    old.close()
                self._link = link
                self._fate.reopen()
        return link.exchange(request)

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
            link, self._link = self._link, None
        if link is not None:
            link.close()

    def __getstate__(self) -> Any:
        raise TypeError("a client that was used cannot be pickled; make one in each process")
