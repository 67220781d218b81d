"""What the server's tests share: a stage for their environments, and a check that nothing failed inside the server."""

import logging
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import pytest

from tests.server.isolated import Tables
from tests.server.opened import Opened
from tests.server.stage import AsyncStaged, InlineStaged, Stage, Staged, app_of
from tests.support.echo import EchoEnvironment
from tests.support.serving import TRANSPORTS, Served, serving

# "Exception in ASGI application", "Task exception was never retrieved", "internal error while serving"
_INTERNAL = ("asyncio", "uvicorn.error", "openenv.server")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.release()


@pytest.fixture
async def opened(stage: Stage) -> AsyncIterator[Opened]:
    """Sessions around staged environments, ended with the test."""
    opened = Opened(stage)
    yield opened
    stage.release()
    for session in opened.sessions:
        await session.end("the test is over")


@pytest.fixture(scope="module", params=TRANSPORTS)
def served(request: pytest.FixtureRequest) -> Served:
    """Serve an app over one of the two transports."""
    return partial(serving, log_config=None, ws=request.param)


@pytest.fixture(scope="module")
def echo(served: Served) -> Iterator[str]:
    """Serve the echo environment, with room for many."""
    with served(app_of(EchoEnvironment, max_sessions=512, queue_s=0)) as url:
        yield url


@pytest.fixture(params=[InlineStaged, Staged, AsyncStaged])
def flavour(request: pytest.FixtureRequest) -> Any:
    """A staged environment of each kind: inline, on a thread, async."""
    return request.param


@pytest.fixture
async def tables() -> AsyncIterator[Tables]:
    """Tables whose environments live in worker processes, closed with the test."""
    tables = Tables()
    yield tables
    for table in tables.made:
        await table.close()


@pytest.fixture(autouse=True)
def no_internal_errors(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever a peer or an environment does, nothing of ours fails over it. Who provokes a failure clears `caplog`."""
    uvicorn = logging.getLogger("uvicorn")  # its own configuration, once applied, keeps records from caplog
    propagates, uvicorn.propagate = uvicorn.propagate, True
    yield
    uvicorn.propagate = propagates
    failed = [
        record.getMessage()
        for record in caplog.get_records("call")
        if record.levelno >= logging.ERROR and record.name.startswith(_INTERNAL)
    ]
    if failed:
        pytest.fail(f"the server itself failed: {failed}", pytrace=False)
