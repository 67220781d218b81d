"""`openenv.server.building`: each environment is built where its calls will run."""

import threading
from functools import partial

import pytest

from openenv.env import EnvironmentSource
from openenv.errors import FactoryFailed
from openenv.server.building import SessionBuilder
from tests.server.hazards import build_nothing
from tests.server.stage import InlineStaged, Stage, Staged
from tests.support.echo import EchoAction

pytestmark = pytest.mark.anyio


class SingleThreaded(Staged):
    REQUIRES_SINGLE_THREAD_EXECUTOR = True


@pytest.mark.parametrize(("flavour", "threads"), [(InlineStaged, 1), (Staged, 2), (SingleThreaded, 1)])
async def test_environments_are_built_on_the_threads_of_their_class(
    stage: Stage, flavour: type[Staged], threads: int
) -> None:
    builder = SessionBuilder(EnvironmentSource(partial(flavour, stage)), EchoAction, step_timeout_s=None)
    sessions = [await builder.build(name) for name in ("s1", "s2")]
    assert [session.id for session in sessions] == ["s1", "s2"]
    assert len(stage.threads("init")) == threads
    assert (threading.current_thread() in stage.threads("init")) == (flavour is InlineStaged)
    for session in sessions:
        await session.end("the test is over")
    await builder.stop()


async def test_thread_of_a_factory_that_raises_ends(caplog: pytest.LogCaptureFixture) -> None:
    builder = SessionBuilder(EnvironmentSource(build_nothing), EchoAction, step_timeout_s=None)
    with pytest.raises(FactoryFailed):
        await builder.build("s1")
    await builder.stop()
    caplog.clear()
