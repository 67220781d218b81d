"""Environments with MCP tools, for tests."""

import datetime
import threading
from typing import Any

from fastmcp import Context, FastMCP
from fastmcp.exceptions import ToolError
from fastmcp.utilities.types import Image
from pydantic import BaseModel

from openenv.env.mcp import MCPEnvironment
from openenv.types import Observation, State

__all__ = ["Box", "Tooled", "add", "add_async", "make_server", "waiting"]

waiting = threading.Event()
"""What the tool `hang` waits for; whoever calls it sets it."""


class Box(BaseModel):
    """A model with another inside."""

    name: str
    inner: "Box | None" = None


def make_server() -> "FastMCP[Any]":
    """Make a server with a tool of every kind."""
    server: FastMCP[Any] = FastMCP("tooled")
    for function in (
        add, add_async, greet, undescribed, untyped, nothing, listed, dated, boxed, mapped, picture, mixed, raw,
        counted, stated, fail, fail_as_tool, fail_in_model, leave, hang, hang_async,
    ):  # fmt: skip
        server.tool(function)
    server.resource("data://greeting")(greeting)
    server.resource("data://greeting/{name}")(greeting_for)
    server.prompt(asking)
    return server


class Tooled(MCPEnvironment):
    """Counts its steps."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, server: "FastMCP[Any] | None" = None, **options: Any) -> None:
        super().__init__(server or make_server(), **options)
        self.count = 0

    def reset(self) -> Observation:
        self.count = 0
        return Observation(metadata={"ready": True})

    async def step_async(self, action: Any, timeout_s: float | None = None, **kwargs: Any) -> Any:
        self.count += 1
        return await super().step_async(action, timeout_s=timeout_s, **kwargs)

    @property
    def state(self) -> State:
        return State(step_count=self.count)


def add(a: int, b: int = 2) -> int:
    """Add two numbers."""
    return a + b


async def add_async(a: int, b: int = 2) -> int:
    """Add two numbers, later."""
    return a + b


def greet(name: str) -> str:
    """Greet somebody."""
    return f"Hello, {name}!"


def undescribed(x: int | None = None) -> str:
    return f"got {x}"


def untyped(x):  # type: ignore[no-untyped-def]
    """Give back what came."""
    return x


def nothing() -> None:
    """Do nothing."""


def listed(n: int) -> list[int]:
    """Count."""
    return list(range(n))


def dated(day: datetime.date) -> datetime.date:
    """Give the day after."""
    return day + datetime.timedelta(days=1)


def boxed(box: Box, depth: int = 0) -> Box:
    """Put a box into another."""
    return Box(name=f"in {box.name}", inner=box)


def mapped(keys: list[str]) -> dict[str, int]:
    """Map keys to their lengths."""
    return {key: len(key) for key in keys}


def picture() -> Image:
    """Draw."""
    return Image(data=b"\x89PNG", format="png")


def mixed() -> list[Any]:
    """Draw, and tell about it."""
    return ["a picture:", Image(data=b"\x89PNG", format="png")]


def raw() -> bytes:
    """Give bytes that are no text."""
    return b"\xff\x00"


def counted(n: int) -> Any:
    """Count, one after the other."""
    yield from range(n)


async def stated(key: str, ctx: Context) -> str:
    """Say who serves."""
    return f"{key} {ctx.fastmcp.name}"


def fail(why: str) -> str:
    """Fail."""
    raise ValueError(why)


def fail_as_tool() -> str:
    """Fail on purpose."""
    raise ToolError("invalid argument, not found, timeout")


def fail_in_model() -> str:
    """Fail to make a model, which is no fault of the arguments."""
    return Box.model_validate({}).name


def leave() -> str:
    """Try to end the process."""
    raise SystemExit("leaving")


def hang() -> str:
    """Wait until somebody minds."""
    waiting.wait(10)
    return "at last"


async def hang_async() -> str:
    """Wait for ever."""
    import asyncio

    await asyncio.Event().wait()
    return "never"


def greeting() -> str:
    """Greet."""
    return "hello"


def greeting_for(name: str) -> str:
    """Greet somebody."""
    return f"hello {name}"


def asking(about: str = "life") -> str:
    """Ask about something."""
    return f"What about {about}?"
