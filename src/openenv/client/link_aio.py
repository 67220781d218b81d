"""A link on an event loop: the twin of `link`.

What arrives is delivered from within the loop's callback; the only task is the one that looks for another connection.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from functools import partial
from typing import Self

from openenv.client.endpoint import Endpoint
from openenv.client.failures import connect_error, expired, is_final, lost
from openenv.client.plain import PlainLink, give_up, half_for
from openenv.client.recovery import Recovery
from openenv.client.socket_aio import AsyncSocket
from openenv.errors import ConnectFailed, ConnectionLost, PeerError, Refused, SessionClosed, SessionLost
from openenv.protocol import SUBPROTOCOL, BatchReply, ClientLinkState, LinkCall, LinkReply, LinkRequest

__all__ = ["AsyncDeliver", "AsyncLink"]

AsyncDeliver = Callable[[LinkReply | Exception], None]
"""Takes a reply, or why there will be none; one to a batch that comes in parts is called for each part."""

_CLOSE_S = 2.0


class AsyncLink:
    """One client's link to one server, on one event loop; made by `open`.

    Attributes:
        half: What was asked and answered; of a server of dialect 1, a `PlainLink`.
        extensions: What the handshake of the server said it understands.
    """

    def __init__(self, endpoint: Endpoint, socket: AsyncSocket, *, binary: bool, arrays: bool) -> None:
        self._endpoint = endpoint
        self._socket = socket
        self._waiting: dict[LinkCall, AsyncDeliver] = {}
        self._recovery: Recovery | None = None
        self._mending: asyncio.Task[None] | None = None
        self.extensions = socket.extensions
        self.half = half_for(socket.subprotocol, binary=binary or endpoint.arrays, arrays=arrays or endpoint.arrays)

    @classmethod
    async def open(cls, endpoint: Endpoint, *, binary: bool = False, arrays: bool = False) -> Self:
        """Connect. For the arguments and what is raised see `Link`."""
        socket = await AsyncSocket.dial(endpoint)
        try:
            link = cls(endpoint, socket, binary=binary, arrays=arrays)
            if not isinstance(link.half, PlainLink):
                link.half.attach(await socket.first(endpoint.connect_timeout_s))
        except (ConnectionLost, TimeoutError) as error:
            socket.drop()
            raise connect_error(endpoint, error) from error
        except BaseException:  # a welcome that is none; cancelling
            socket.drop()
            raise
        socket.listen(link)
        return link

    @property
    def is_stranded(self) -> bool:
        """Whether the event loop that carries the link is gone."""
        return self._socket.is_stranded

    async def exchange(self, request: LinkRequest, lane: int | None, limit_s: float | None) -> LinkReply:
        """Ask and wait for the reply. Raises as `Link.exchange` does."""
        answer: asyncio.Future[LinkReply] = asyncio.get_running_loop().create_future()
        call = self.ask(request, lane, partial(_settle, answer))
        try:
            async with asyncio.timeout(limit_s):
                return await answer
        except ConnectionLost as error:
            raise await asyncio.to_thread(lost, self._endpoint, error) from error
        except TimeoutError:
            late = expired(self._endpoint, request, limit_s, goes_on=not isinstance(self.half, PlainLink))
            self.abandon(call, late)
            raise late from None
        except BaseException as error:  # cancelling above all: the reply may still come, and must reach nobody
            self.abandon(call, error)
            raise

    def ask(self, request: LinkRequest, lane: int | None, deliver: AsyncDeliver) -> LinkCall:
        """Send a request, whose reply `deliver` will get. Without a connection it waits for the next one.

        Raises:
            SessionLost, SessionClosed: The link has ended.
            LocalError: The request cannot be sent.
        """
        call = self.half.ask(request, lane)
        self._waiting[call] = deliver
        self._socket.transmit(self.half.outgoing())
        return call

    def abandon(self, call: LinkCall, cause: BaseException, *, cancel: bool = False) -> None:
        """Stop waiting for a call: its reply reaches nobody. With `cancel` the server is asked to give it up, too."""
        self._waiting.pop(call, None)
        give_up(self.half, call, cause, cancel=cancel)
        self._socket.transmit(self.half.outgoing())
        if self._has_ended():
            self._socket.drop()

    async def close(self) -> None:
        """End the link and its sessions."""
        if self.is_stranded:
            self.half.close()
            self._socket.leave()
            return
        await asyncio.sleep(0)  # hear of a connection that has just ended
        if not self._socket.is_open:
            await self._socket.wait_closed()
        await self._stop_mending()
        if self.half.state is ClientLinkState.DETACHED and self._recovery is not None:
            await self._attempt(self._recovery, _CLOSE_S)  # the server would keep the sessions for us
        self.half.close()
        self._socket.transmit(self.half.outgoing())
        self._fail(self._end())
        await self._socket.close()

    def received(self, frame: bytes) -> None:
        """Take a frame; for the socket."""
        self._recovery = None
        try:
            answered = self.half.receive(frame)
        except PeerError as error:
            self._lose(error)
            return
        if frames := self.half.outgoing():
            self._socket.transmit(frames)
        if answered is None:
            return
        call, reply = answered
        is_part = isinstance(reply, BatchReply) and reply.more
        deliver = self._waiting.get(call) if is_part else self._waiting.pop(call, None)
        if deliver is not None:
            deliver(reply)

    def ended(self, error: ConnectionLost) -> None:
        """Go on without a connection, and look for another, if that can be; for the socket."""
        if isinstance(self.half, PlainLink) or self.half.welcome is None or is_final(error):
            self._lose(error)
            return
        self.half.detach()
        if self.half.state is ClientLinkState.DETACHED:
            self._recovery = self._recovery or Recovery(error, self.half.welcome.grace_s, time.monotonic())
            self._mending = self._mending or asyncio.get_running_loop().create_task(self._mend())

    async def _mend(self) -> None:
        """Make another connection, waiting between attempts."""
        try:
            while (recovery := self._recovery) is not None and self.half.state is ClientLinkState.DETACHED:
                await asyncio.sleep(min(recovery.due, recovery.deadline) - time.monotonic())
                await self._attempt(recovery, recovery.deadline - time.monotonic())
        except Exception as error:  # noqa: BLE001  # whatever it is, those who wait must hear of it
            self._lose(error)
        finally:
            self._mending = None

    async def _attempt(self, recovery: Recovery, limit_s: float) -> None:
        """Try once to go on with another connection; the link is lost if that can never be."""
        how = None if self._endpoint.died is None else await asyncio.to_thread(self._endpoint.died)
        now = time.monotonic()
        if how is not None or recovery.is_over(now):
            self._lose(ConnectionLost(f"its server is gone: {how}") if how else recovery.failure())
            return
        resume = self.half.resume
        assert resume is not None  # it had a welcome
        recovery.tried(now)
        socket = None
        try:
            socket = await AsyncSocket.dial(self._endpoint.resuming(resume, min(limit_s, recovery.deadline - now)))
            await self._attach(socket, limit_s)
            self._socket = socket
        except (ConnectFailed, ConnectionLost, TimeoutError):
            pass  # there will be another attempt
        except (Refused, SessionLost, PeerError) as error:
            self.half.lose(error)
            self._lose(self._end())
        finally:
            if socket is not None and socket is not self._socket:
                socket.leave()
        if socket is self._socket:
            socket.transmit(self.half.outgoing())
            socket.listen(self)

    async def _attach(self, socket: AsyncSocket, limit_s: float) -> None:
        if socket.subprotocol != SUBPROTOCOL:
            raise SessionLost("the server does not speak the dialect of the link any more")
        assert not isinstance(self.half, PlainLink)  # which is never without a connection
        self.half.attach(await socket.first(limit_s))

    async def _stop_mending(self) -> None:
        if self._mending is not None:
            self._mending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._mending

    def _lose(self, error: Exception) -> None:
        self.half.lose(error)
        self._socket.drop()
        self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Tell all who wait."""
        waiting, self._waiting = self._waiting, {}
        for deliver in waiting.values():
            deliver(error)

    def _end(self) -> Exception:
        """Give what a request would hear, now that the link has ended."""
        try:
            self.half.check()
        except (SessionLost, SessionClosed) as error:
            return error
        raise AssertionError("asked of a link that has not ended")

    def _has_ended(self) -> bool:
        return self.half.state in (ClientLinkState.LOST, ClientLinkState.CLOSED)

    def __del__(self) -> None:
        self._socket.leave()


def _settle(answer: asyncio.Future[LinkReply], reply: LinkReply | Exception) -> None:
    if answer.done():
        return  # given up in this very turn of the loop
    if isinstance(reply, Exception):
        answer.set_exception(reply)
    else:
        answer.set_result(reply)
