"""`openenv.server.serving`: a server that stops lets calls under way finish, and leaves the process alive."""

import asyncio
import os
import signal
import socket
import threading
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI
from starlette.middleware.gzip import GZipMiddleware

from openenv.server.run import bind, url_of
from openenv.server.serving import DrainingServer, StopSignals, table_of
from tests.server.peers import ask, closing, http, reply, ws
from tests.server.stage import Stage, Staged, app_of
from tests.support.command import expect_refusal
from tests.support.echo import EchoEnvironment
from tests.support.serving import TRANSPORTS, serving


def test_sessions_are_found_below_middleware() -> None:
    app = app_of(EchoEnvironment)
    assert table_of(GZipMiddleware(GZipMiddleware(app))) is app.state.openenv


@pytest.mark.parametrize("app", [None, object(), FastAPI(), GZipMiddleware(FastAPI())])
def test_app_of_others_has_no_sessions(app: Any) -> None:
    assert table_of(app) is None


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


class _Stopping:
    """A server in a thread that can be told to stop."""

    def __init__(self, app: Any, transport: str) -> None:
        self.listener = bind("127.0.0.1", 0)
        self.url = url_of("127.0.0.1", self.listener)
        config = uvicorn.Config(app, log_level="warning", log_config=None, ws=transport)
        self.server = DrainingServer(config)
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.listener]})
        self.thread.start()

    def __enter__(self) -> "_Stopping":
        return self

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.thread.join(10)


def test_call_under_way_is_answered_before_its_connection_closes(transport: str, stage: Stage) -> None:
    stage.held = {"step"}
    with _Stopping(app_of(partial(Staged, stage)), transport) as stopping, ws(stopping.url) as peer:
        ask(peer, {"type": "reset"})
        peer.send('{"type":"step","data":{"message":"Hi"}}')
        stage.expect("step")
        stopping.server.should_exit = True
        expect_refusal(stopping.url)
        stage.release()
        assert reply(peer)["data"]["reward"] == 0.2
        assert closing(peer) == 1012
    stage.expect("close")


def test_call_that_takes_too_long_is_not_waited_for(
    transport: str, stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.held = {"step"}
    with _Stopping(app_of(partial(Staged, stage), drain_s=0.1), transport) as stopping, ws(stopping.url) as peer:
        ask(peer, {"type": "reset"})
        peer.send('{"type":"step","data":{"message":"Hi"}}')
        stage.expect("step")
        stopping.server.should_exit = True
        assert closing(peer) == 1012
        stage.release()
    assert "stopping although calls are under way: drain_s=0.1 is over" in caplog.text


def test_second_interrupt_ends_the_wait(transport: str, stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.held = {"step"}
    with _Stopping(app_of(partial(Staged, stage), drain_s=60), transport) as stopping, ws(stopping.url) as peer:
        ask(peer, {"type": "reset"})
        peer.send('{"type":"step","data":{"message":"Hi"}}')
        stage.expect("step")
        stopping.server.handle_exit(signal.SIGINT, None)
        expect_refusal(stopping.url)
        stopping.server.handle_exit(signal.SIGINT, None)
        assert closing(peer) == 1012
        stage.release()
    caplog.clear()  # uvicorn reports that it did not wait for the app's own shutdown either


def test_app_of_others_is_stopped_as_uvicorn_would() -> None:
    with serving(FastAPI(), log_config=None) as url, http(url) as client:
        assert client.get("/").status_code == 404


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_server_and_not_the_process(number: signal.Signals) -> None:
    class Killed(DrainingServer):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            os.kill(os.getpid(), number)

    before = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]
    with bind("127.0.0.1", 0) as listener:
        Killed(uvicorn.Config(app_of(EchoEnvironment), log_level="warning", log_config=None)).run(sockets=[listener])
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)] == before


class _Thing:
    """What a weak reference may point to."""


def _signal_in_callback(number: int) -> None:
    """Have a signal arrive where Python prints and forgets whatever its handler raises."""
    thing = _Thing()
    reference = weakref.ref(thing, lambda _: signal.raise_signal(number))
    del thing
    assert reference() is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_that_comes_while_the_loop_is_made_ends_the_server(number: signal.Signals) -> None:
    class Early(uvicorn.Config):
        def get_loop_factory(self) -> Callable[[], asyncio.AbstractEventLoop] | None:
            _signal_in_callback(number)
            return super().get_loop_factory()

    before = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]
    with bind("127.0.0.1", 0) as listener:
        DrainingServer(Early(app_of(EchoEnvironment), log_level="warning", log_config=None)).run(sockets=[listener])
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)] == before


def test_signal_that_comes_before_there_is_anybody_to_stop_is_kept_for_them() -> None:
    heard: list[int] = []
    with StopSignals() as signals:
        _signal_in_callback(signal.SIGINT)
        signals.tell(lambda number, _: heard.append(number))
        assert heard == [signal.SIGINT]
        signal.raise_signal(signal.SIGTERM)
    assert heard == [signal.SIGINT, signal.SIGTERM]
