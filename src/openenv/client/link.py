"""A link on blocking sockets: what is asked is answered, over one connection after another.

A connection that ends is replaced within the time that the server keeps the link, by whoever needs it next or by the
`keeper`; nobody who asks notices but by the wait. With a server of dialect 1 a link is its connection and ends with it.
`link_aio` has the twin.
"""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from openenv.client import keeper
from openenv.client.blocking import BlockingSocket
from openenv.client.endpoint import Endpoint
from openenv.client.failures import connect_error, expired, is_final, lost
from openenv.client.plain import PlainLink, give_up, half_for
from openenv.client.recovery import Recovery
from openenv.errors import ConnectFailed, ConnectionLost, PeerError, Refused, SessionLost
from openenv.protocol import SUBPROTOCOL, BatchReply, ClientLinkState, LinkCall, LinkReply, LinkRequest

__all__ = ["Deliver", "Link"]

Deliver = Callable[[LinkReply], None]
"""Takes a reply; one to a batch that comes in parts is called for each part."""

_LOOK_S = 1.0
"""How long an attempt to go on with an idle link may take; other links wait for it."""
_CLOSE_S = 2.0


class Link:
    """One client's link to one server. Any thread may call any method.

    Args:
        endpoint: Where the server is.
        binary: Whether to send binary frames, and so get them: for arrays.
        arrays: Whether arrays that arrive become NumPy's.

    Attributes:
        half: What was asked and answered; of a server of dialect 1, a `PlainLink`.
        extensions: What the handshake of the server said it understands.

    Raises:
        ConnectFailed: No connection could be made.
        Refused: The server does not let us in.
        PeerError: It breaks the rules from the beginning.
    """

    def __init__(self, endpoint: Endpoint, *, binary: bool = False, arrays: bool = False) -> None:
        self._endpoint = endpoint
        self._lock = threading.RLock()
        self._waiting: dict[LinkCall, Deliver] = {}
        self._recovery: Recovery | None = None
        self._socket = BlockingSocket(endpoint)
        self.extensions = self._socket.extensions
        self.half = half_for(
            self._socket.subprotocol, binary=binary or endpoint.arrays, arrays=arrays or endpoint.arrays
        )
        if not isinstance(self.half, PlainLink):
            try:
                self.half.attach(self._socket.receive(endpoint.connect_timeout_s))
            except (ConnectionLost, TimeoutError) as error:
                self._socket.drop()
                raise connect_error(endpoint, error) from error
            except BaseException:  # a welcome that is none; Ctrl-C
                self._socket.drop()
                raise
        keeper.watch(self)

    def exchange(self, request: LinkRequest, lane: int | None, limit_s: float | None) -> LinkReply:
        """Ask and wait for the reply. Requests of several threads are carried out one after another.

        Raises:
            ReplyTimeout: None came in time. The session goes on, but in dialect 1.
            SessionLost: The link is lost, and every session on it.
            SessionClosed: It was closed.
            PeerError: The server broke the rules; the link is lost by it.
        """
        with self._lock:
            replies: list[LinkReply] = []
            call = self.ask(request, lane, replies.append)
            try:
                deadline = None if limit_s is None else time.monotonic() + limit_s
                while not replies:
                    self.pump(deadline)
            except TimeoutError:
                late = expired(self._endpoint, request, limit_s, goes_on=not isinstance(self.half, PlainLink))
                self.abandon(call, late)
                raise late from None
            except BaseException as error:  # Ctrl-C above all: the reply may still come, and must reach nobody
                self.abandon(call, error)
                raise
            return replies[0]

    def ask(self, request: LinkRequest, lane: int | None, deliver: Deliver) -> LinkCall:
        """Send a request, whose reply `pump` will give to `deliver`. Without a connection it waits for the next one.

        Raises:
            SessionLost, SessionClosed: The link has ended.
            LocalError: The request cannot be sent.
        """
        with self._lock:
            call = self.half.ask(request, lane)
            self._waiting[call] = deliver
            self._send()
            return call

    def pump(self, deadline: float | None) -> None:
        """Wait for one frame, making another connection if need be, and deliver the reply in it.

        Args:
            deadline: Until when, by `time.monotonic`; None for ever.

        Raises:
            TimeoutError: Nothing came by then.
            SessionLost, SessionClosed: The link has ended.
            PeerError: The server broke the rules; the link is lost by it.
        """
        with self._lock:
            if self._recovery is not None and self.half.state is ClientLinkState.DETACHED:
                self._reconnect(self._recovery, deadline)
            self.half.check()
            try:
                frame = self._socket.receive(None if deadline is None else deadline - time.monotonic())
            except ConnectionLost as error:
                self._cut(error)
                if self.half.state is not ClientLinkState.DETACHED:
                    raise lost(self._endpoint, error) from error
                return
            self._take(frame)

    def abandon(self, call: LinkCall, cause: BaseException, *, cancel: bool = False) -> None:
        """Stop waiting for a call: its reply reaches nobody. With `cancel` the server is asked to give it up, too."""
        with self._lock:
            self._waiting.pop(call, None)
            give_up(self.half, call, cause, cancel=cancel)
            self._send()

    @property
    def attended(self) -> AbstractContextManager[bool]:
        """Held while several links are waited for: nobody else, the keeper above all, reads meanwhile."""
        return self._lock

    def fileno(self) -> int | None:
        """Give the descriptor that becomes readable when something arrives; None without a connection."""
        return self._socket.fileno() if self._socket.is_open else None

    def tend(self) -> None:
        """Keep an idle connection alive, or look for another; does nothing while somebody waits for a reply."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._catch_up()
        finally:
            self._lock.release()

    def close(self) -> None:
        """End the link and its sessions. Waits for an exchange that another thread has under way."""
        with self._lock:
            self._catch_up()
            if self.half.state is ClientLinkState.DETACHED and self._recovery is not None:
                self._attempt(self._recovery, _CLOSE_S)  # the server would keep the sessions for us
            self.half.close()
            try:
                self._socket.send(self.half.outgoing())
                self._socket.close()
            except ConnectionLost:
                pass  # it ended by itself
            self._waiting.clear()
            self._socket.drop()
        keeper.unwatch(self)

    def leave(self) -> None:
        """Say goodbye without waiting for anybody, as the process ends."""
        self._socket.leave()

    def forget(self) -> None:
        """In a forked child: let the connection be the parent's. Two readers would get each other's replies."""
        self._lock = threading.RLock()  # the parent's may be held, by a thread that does not exist here
        self.half.lose(ConnectionLost("this process was forked from the one that holds the session"))
        self._socket.drop()

    def _send(self) -> None:
        """Send what is to be sent; whatever prevents it is found by whoever waits for the reply."""
        try:
            if frames := self.half.outgoing():
                self._socket.send(frames)
        except ConnectionLost:
            pass  # what the server said before may still be there to be read
        if self._has_ended():
            self._socket.drop()

    def _take(self, frame: bytes) -> None:
        self._recovery = None
        try:
            answered = self.half.receive(frame)
        except PeerError:
            self._socket.drop()
            raise
        if answered is None:
            return
        call, reply = answered
        is_part = isinstance(reply, BatchReply) and reply.more
        deliver = self._waiting.get(call) if is_part else self._waiting.pop(call, None)
        if deliver is not None:
            deliver(reply)

    def _catch_up(self) -> None:
        """Take in what came while nobody waited. What is wrong is kept for the next request."""
        if self._has_ended():
            return
        try:
            if self.half.state is ClientLinkState.DETACHED and self._recovery is not None:
                if time.monotonic() >= min(self._recovery.due, self._recovery.deadline):
                    self._attempt(self._recovery, _LOOK_S)
                return
            self._socket.tend()
            while (frame := self._socket.take()) is not None:
                self._take(frame)
            self._send()
        except ConnectionLost as error:
            self._cut(error)
        except (PeerError, SessionLost):
            pass  # the half has it
        except Exception as error:  # noqa: BLE001  # whatever it is, the next call must hear of it
            self.half.lose(error)
        finally:
            if self._has_ended():
                self._socket.drop()

    def _cut(self, error: ConnectionLost) -> None:
        """Take note that the connection has ended: the link goes on without one, if it can."""
        self._socket.drop()
        if isinstance(self.half, PlainLink) or self.half.welcome is None or is_final(error):
            self.half.lose(error)
            return
        self.half.detach()
        self._recovery = self._recovery or Recovery(error, self.half.welcome.grace_s, time.monotonic())

    def _reconnect(self, recovery: Recovery, deadline: float | None) -> None:
        """Make another connection, waiting between attempts. Raises as `pump` does."""
        while self.half.state is ClientLinkState.DETACHED:
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                raise TimeoutError
            wait_s = min(recovery.due, recovery.deadline, deadline or recovery.due) - now
            if wait_s > 0:
                time.sleep(wait_s)
                continue
            self._attempt(recovery, recovery.deadline - now if deadline is None else deadline - now)
        self.half.check()

    def _attempt(self, recovery: Recovery, limit_s: float) -> None:
        """Try once to go on with another connection; the link is lost if that can never be."""
        how = self._endpoint.died() if self._endpoint.died is not None else None
        now = time.monotonic()
        if how is not None or recovery.is_over(now):
            self.half.lose(ConnectionLost(f"its server is gone: {how}") if how else recovery.failure())
            return
        resume = self.half.resume
        assert resume is not None  # it had a welcome
        recovery.tried(now)
        socket = None
        try:
            socket = BlockingSocket(self._endpoint.resuming(resume, min(limit_s, recovery.deadline - now)))
            self._attach(socket, limit_s)
            self._socket = socket
            self._send()
        except (ConnectFailed, ConnectionLost, TimeoutError):
            pass  # there will be another attempt
        except (Refused, SessionLost, PeerError) as error:
            self.half.lose(error)
        finally:
            if socket is not None and socket is not self._socket:
                socket.leave()

    def _attach(self, socket: BlockingSocket, limit_s: float) -> None:
        if socket.subprotocol != SUBPROTOCOL:
            raise SessionLost("the server does not speak the dialect of the link any more")
        assert not isinstance(self.half, PlainLink)  # which is never without a connection
        self.half.attach(socket.receive(limit_s))

    def _has_ended(self) -> bool:
        return self.half.state in (ClientLinkState.LOST, ClientLinkState.CLOSED)
