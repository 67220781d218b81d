"""An asynchronous client's line to its server: the twins of `line`."""

import asyncio
from contextlib import suppress
from typing import Self

from openenv.client.conversation import BEGINS, CLOSE_S, Answered, Asked, Conversation, Fate
from openenv.client.endpoint import Endpoint
from openenv.client.lanes import LANE, Lanes
from openenv.client.link_aio import AsyncLink
from openenv.errors import OpenEnvError
from openenv.protocol import CloseLanes, Fork

__all__ = ["AsyncLine", "AsyncSession"]


class AsyncSession:
    """One session, and a link that it shares with those that are forked from it; made by `open` and `fork`."""

    def __init__(self, endpoint: Endpoint, lanes: Lanes[AsyncLink], lane: int = LANE) -> None:
        self._endpoint = endpoint
        self._turn = asyncio.Lock()
        self._lanes = lanes
        self._lane = lane
        self.link = lanes.link
        is_forked = lane != LANE
        self._conversation = Conversation(endpoint, self.link.half, self.link.extensions, is_forked=is_forked)
        if self._conversation.opening is not None:
            self.link.ask(self._conversation.opening, None, self._conversation.take_opened)

    @classmethod
    async def open(cls, endpoint: Endpoint) -> Self:
        """Connect, to a server that is started first if need be. Raises as `Link` does."""
        endpoint = await asyncio.to_thread(endpoint.located) if endpoint.start else endpoint.located()
        return cls(endpoint, Lanes(await AsyncLink.open(endpoint)))

    @property
    def is_used(self) -> bool:
        """Whether anything was asked, so that there may be an episode."""
        return self._conversation.is_used

    @property
    def is_usable(self) -> bool:
        """Whether another request may be asked."""
        return self._conversation.is_usable and not self.link.is_stranded

    @property
    def is_fresh(self) -> bool:
        """Whether another episode may begin in it."""
        return self._conversation.is_fresh and not self.link.is_stranded

    @property
    def is_ready(self) -> bool:
        """Whether another episode may begin in it at once, without another connection."""
        return self._conversation.is_ready and not self.link.is_stranded

    async def exchange(self, request: Asked) -> Answered:
        """Ask and wait for the reply; requests are carried out in the order they were made. Raises as its twin does."""
        async with self._turn:
            request, limit_s = self._conversation.prepare(request)
            return self._conversation.take(await self.link.exchange(request, self._lane, limit_s))

    async def fork(self, count: int) -> list[Self]:
        """Begin as many sessions in the state of this one, or none. Raises as `exchange` does."""
        async with self._turn:
            lanes = self._lanes.take(count)
            try:
                request, limit_s = self._conversation.prepare(Fork(lanes))
                self._conversation.take_forked(await self.link.exchange(request, self._lane, limit_s))
            except BaseException:  # cancelling too: whatever has begun, or still will, is nobody's
                self._lanes.leave(*lanes)
                with suppress(OpenEnvError):  # the link is gone, and they with it
                    self.link.ask(CloseLanes(lanes), None, lambda reply: None)
                raise
        return [type(self)(self._endpoint, self._lanes, lane) for lane in lanes]

    async def close(self) -> None:
        """End the session, and the link if it is the last on it. Waits for an exchange that is under way."""
        if self.link.is_stranded:
            if self._lanes.leave(self._lane):
                await self.link.close()
            return
        async with self._turn:
            if self._lanes.leave(self._lane):
                await self.link.close()
                return
            with suppress(OpenEnvError):  # as above
                await self.link.exchange(CloseLanes((self._lane,)), None, CLOSE_S)


class AsyncLine:
    """What a client talks through: opens a session when one is needed, and never a second one silently."""

    def __init__(self, endpoint: Endpoint, fate: Fate, session: AsyncSession | None = None) -> None:
        self._endpoint = endpoint
        self._fate = fate
        self._opening = asyncio.Lock()
        self._session = session

    @property
    def is_used(self) -> bool:
        """Whether there may be an episode."""
        return self._session is not None and self._session.is_used

    @property
    def is_ready(self) -> bool:
        """Whether there is a session in which another episode may begin at once."""
        return self._session is not None and self._session.is_ready

    @property
    def is_stranded(self) -> bool:
        """Whether the event loop it was used on is gone."""
        return self._session is not None and self._session.link.is_stranded

    async def connect(self) -> None:
        """Open a session unless there is one; also after `close`. Raises as `Link` does."""
        async with self._opening:
            self._session = self._session or await AsyncSession.open(self._endpoint)
            self._fate.reopen()

    async def ask(self, request: Asked) -> Answered:
        """Ask and wait for the reply. A reset replaces a session that is lost. Raises as `Session.exchange` does."""
        return await (await self._session_for(request)).exchange(request)

    async def fork(self, count: int) -> list[AsyncSession]:
        """Begin as many sessions in the state of this one, or none. Raises as `Session.exchange` does."""
        return await (await self._session_for(Fork(()))).fork(count)

    async def _session_for(self, request: Asked) -> AsyncSession:
        async with self._opening:
            self._fate.check(request)
            session = self._session
            if session is None or (isinstance(request, BEGINS) and not session.is_fresh):
                session, old = await AsyncSession.open(self._endpoint), session
                if old is not None:
                    await old.close()
                self._session = session
                self._fate.reopen()
        return session

    async def disconnect(self) -> None:
        """End the session; a reset begins another."""
        if self.is_used:
            self._fate.disconnect()
        await self._hang_up()

    async def close(self) -> None:
        """End the session for good."""
        self._fate.close()
        await self._hang_up()

    async def _hang_up(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()
