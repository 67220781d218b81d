"""What one tool call costs: an environment's step, beside FastMCP's own ways to call the same tool.

    python -m benchmarks.mcp [--seconds 1]

All in one process, without a server between. Runs alternate, so that all see the same machine; the best of each counts.
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from fastmcp import Client, FastMCP

from openenv import Observation, State
from openenv.env.mcp import CallToolAction, MCPEnvironment

_CALLS = 50
_CLIENT = "fastmcp.Client in memory"


class Adding(MCPEnvironment):
    def reset(self) -> Observation:
        return Observation()

    @property
    def state(self) -> State:
        return State()


class AddingInline(Adding):
    BLOCKING = False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=1, help="how long each is measured")
    best = measure(parser.parse_args().seconds)
    for name, seconds in best.items():
        print(f"{name:44} {seconds * 1e6:8.0f} us   {best[_CLIENT] / seconds:6.1f} x")


def measure(seconds: float) -> dict[str, float]:
    """Give the seconds of one call, for each way to make it."""
    return asyncio.run(_measured(seconds))


async def _measured(seconds: float) -> dict[str, float]:
    server = _server()
    threaded, inline = Adding(server), AddingInline(server)
    arguments = {"a": 1, "b": 2}

    def step(environment: Adding, tool: str) -> Callable[[], Awaitable[Any]]:
        return lambda: environment.step_async(CallToolAction(tool_name=tool, arguments=arguments))

    async with Client(server) as client:
        ways: dict[str, Callable[[], Awaitable[Any]]] = {
            _CLIENT: lambda: client.call_tool("add", arguments),
            "FastMCP.call_tool": lambda: server.call_tool("add", arguments),
            "step, async tool": step(threaded, "add_async"),
            "step, sync tool on the environment's thread": step(threaded, "add"),
            "step, sync tool inline": step(inline, "add"),
        }
        best = dict.fromkeys(ways, float("inf"))
        end = time.perf_counter() + seconds * len(ways)
        while time.perf_counter() < end:
            for name, call in ways.items():
                start = time.perf_counter()
                for _ in range(_CALLS):
                    await call()
                best[name] = min(best[name], (time.perf_counter() - start) / _CALLS)
    threaded.close()
    inline.close()
    return best


def _server() -> "FastMCP[Any]":
    server: FastMCP[Any] = FastMCP("adding")

    @server.tool
    def add(a: int, b: int) -> int:
        return a + b

    @server.tool
    async def add_async(a: int, b: int) -> int:
        return a + b

    return server


if __name__ == "__main__":
    main()
