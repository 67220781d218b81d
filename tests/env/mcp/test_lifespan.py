"""The lifespan of a FastMCP server, or of one that is mounted on it."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastmcp import Context, FastMCP

from openenv.env.mcp import CallToolAction, ListToolsAction
from tests.support.tooled import Tooled


def call(name: str) -> CallToolAction:
    return CallToolAction(tool_name=name)


def async_step(made: Tooled, action: Any) -> Any:
    return asyncio.run(made.step_async(action))


def sync_step(made: Tooled, action: Any) -> Any:
    return made.step(action)


every_way = pytest.mark.parametrize("step", [async_step, sync_step])
Step = Callable[..., Any]


def lasting(log: list[str], fails: bool = False) -> "FastMCP[Any]":
    @asynccontextmanager
    async def lifespan(server: Any) -> AsyncIterator[dict[str, str]]:
        if fails:
            raise OSError("no database")
        log.append("begun")
        yield {"database": "open"}
        log.append("ended")

    server: FastMCP[Any] = FastMCP("lasting", lifespan=lifespan)

    @server.tool
    async def ask(ctx: Context) -> Any:
        return ctx.lifespan_context["database"]

    return server


@every_way
@pytest.mark.parametrize("is_mounted", [False, True])
def test_lifespan_runs_from_the_first_call_until_close(step: Step, is_mounted: bool) -> None:
    log: list[str] = []
    server = lasting(log)
    if is_mounted:
        inner, server = server, FastMCP("outer")
        server.mount(inner)
    made = Tooled(server)
    assert step(made, call("ask")).result.content[0].text == "open"
    assert step(made, call("ask")).error is None
    made.close()
    assert log in (["begun", "ended"], ["begun", "ended"] * 2), "a loop that ends, ends it too"


def test_lifespan_ends_on_the_loop_that_it_began_on() -> None:
    log: list[str] = []
    made = Tooled(lasting(log))

    async def main() -> None:
        await made.step_async(call("ask"))
        await made.step_async(ListToolsAction())
        lasting = made._toolbox.lifespan._task
        assert lasting is not None
        await asyncio.to_thread(made.close)  # as the server does
        await asyncio.wait({lasting})
        assert log == ["begun", "ended"]

    asyncio.run(main())


def test_lifespan_that_fails_is_the_error_of_the_call() -> None:
    made = Tooled(lasting([]))
    made._toolbox.lifespan._server = lasting([], fails=True)
    assert "no database" in made.step(call("ask")).error.message
    made.close()


def test_lifespan_is_held_by_mcp_session_too() -> None:
    log: list[str] = []
    made = Tooled(lasting(log))

    async def main() -> None:
        log.clear()
        async with made.mcp_session() as client:
            assert [tool.name for tool in await client.list_tools()] == ["ask"]
            assert log == ["begun"]

    asyncio.run(main())
    assert log == ["begun", "ended"]
    made.close()


def test_lifespan_ends_with_an_environment_that_nobody_closed() -> None:
    class Forgetful(Tooled):
        def close(self) -> None:
            """Do not call the inherited one."""

    log: list[str] = []

    async def main() -> None:
        made = Forgetful(lasting(log))
        await made.step_async(call("ask"))
        lasting_task = made._toolbox.lifespan._task
        assert lasting_task is not None
        made.close()
        del made
        gc.collect()
        await asyncio.wait({lasting_task})
        assert log == ["begun", "ended"]

    asyncio.run(main())


def test_lifespan_that_fails_at_its_end_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    @asynccontextmanager
    async def lifespan(server: Any) -> AsyncIterator[None]:
        yield
        raise OSError("the database is gone")

    async def main() -> None:
        made = Tooled(FastMCP("failing", lifespan=lifespan))
        await made.step_async(ListToolsAction())
        task = made._toolbox.lifespan._task
        assert task is not None
        made.close()
        await asyncio.wait({task})

    asyncio.run(main())
    assert "the lifespan of failing failed" in caplog.text
