"""Both published clients of MCP, FastMCP's and the official SDK's, behind one face."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import fastmcp
import httpx2
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

__all__ = ["Talk", "Talking", "by_fastmcp", "by_sdk"]


class Talk:
    """What the tests ask of either client."""

    def __init__(
        self,
        tools: Callable[[], Awaitable[Any]],
        call: Callable[..., Awaitable[Any]],
        read: Callable[..., Awaitable[Any]],
    ) -> None:
        self._tools, self._call, self._read = tools, call, read

    async def tools(self) -> list[str]:
        listed = await self._tools()
        return [each.name for each in getattr(listed, "tools", listed)]

    async def call(self, name: str, **arguments: Any) -> tuple[bool, Any, str]:
        """Call a tool: whether it failed, what it says to programs, and what to models."""
        result = await self._call(name, arguments)
        return result.is_error, result.structured_content, result.content[0].text

    async def read(self, uri: str) -> str:
        read = await self._read(uri)
        text: str = getattr(read, "contents", read)[0].text
        return text


@asynccontextmanager
async def by_fastmcp(url: str, headers: dict[str, str]) -> AsyncIterator[Talk]:
    transport = fastmcp.client.transports.StreamableHttpTransport(f"{url}/mcp", headers=headers)
    async with fastmcp.Client(transport) as client:
        assert await client.ping()

        async def call(name: str, arguments: dict[str, Any]) -> Any:
            return await client.call_tool(name, arguments, raise_on_error=False)

        yield Talk(client.list_tools, call, client.read_resource)


@asynccontextmanager
async def by_sdk(url: str, headers: dict[str, str]) -> AsyncIterator[Talk]:
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        streamable_http_client(f"{url}/mcp", http_client=http) as streams,
        ClientSession(*streams) as session,
    ):
        await session.initialize()
        yield Talk(session.list_tools, session.call_tool, session.read_resource)


Talking = Callable[[str, dict[str, str]], AbstractAsyncContextManager[Talk]]
"""Either client, given a server's URL and headers."""
