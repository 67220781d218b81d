"""`openenv.server.recipe`: what can be sent to a worker process, and what is told of what cannot."""

import sys
from functools import partial
from typing import Any

import pytest

from openenv.errors import ConfigurationError, FactoryFailed
from tests.server import hazards
from tests.server.hazards import Hazard
from tests.server.isolated import Tables, pid_of
from tests.support.echo import EchoEnvironment

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("given", [hazards.build_hazard, partial(Hazard), partial(hazards.build_hazard)])
async def test_functions_and_partials_are_sent_to_processes(tables: Tables, given: Any) -> None:
    table = tables(given, max_sessions=2)
    sessions = [await table.open(), await table.open()]
    assert len({await pid_of(session) for session in sessions}) == 2
    assert table.limit == 2


async def test_bare_factory_of_a_class_that_cannot_bear_the_limit_is_refused(
    tables: Tables, caplog: pytest.LogCaptureFixture
) -> None:
    table = tables(hazards.build_lonely, max_sessions=4)
    with pytest.raises(FactoryFailed, match="SUPPORTS_CONCURRENT_SESSIONS"):
        await table.open()
    assert table.active == 0
    caplog.clear()


def _closure() -> Any:
    return lambda: Hazard()


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (_closure(), "cannot be sent to a worker process .* at the top level of a module"),
        (EchoEnvironment(), "EchoEnvironment is an instance, which lives in the server's process; pass its class"),
        (partial(print, lambda: 1), "cannot be sent to a worker process"),
    ],
)
async def test_what_cannot_be_sent_is_refused_and_told_what_to_do(tables: Tables, given: Any, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        tables(given)


async def test_class_of_the_program_itself_cannot_be_sent(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["__main__"], "Scripted", type("Scripted", (Hazard,), {}), raising=False)
    scripted: Any = sys.modules["__main__"].Scripted
    scripted.__module__, scripted.__qualname__ = "__main__", "Scripted"
    with pytest.raises(ConfigurationError, match=r"defined in the program that was started.*module of its own"):
        tables(scripted)
