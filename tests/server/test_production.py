"""`openenv.server.production`: in production mode nobody resets, steps, reads or saves an episode, on any transport."""

from collections.abc import Iterator
from typing import Any

import pytest

from openenv.env import ServerMode
from openenv.errors import ConfigurationError, Refused
from openenv.protocol import (
    Fault,
    Fork,
    GetSnapshot,
    GetState,
    GetView,
    JsonRpc,
    JsonRpcReply,
    Opened,
    Reset,
    Restore,
    Step,
)
from openenv.protocol.link_messages import Forked, Open
from openenv.server import ServerConfig, create_app
from openenv.server.production import HIDDEN, discreet
from tests.server.guarded import SECRET, Guarded, Moody, Unbuildable
from tests.server.lanes import Client, batch
from tests.server.peers import ask, http, step, ws
from tests.server.stage import app_of
from tests.support.echo import EchoAction, EchoEnv, EchoEnvironment, EchoObservation
from tests.support.serving import serving


def rpc(method: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method}


@pytest.fixture(scope="module")
def production() -> Iterator[str]:
    with serving(app_of(Guarded, mode="production", web=True)) as url:
        yield url


# ---- what is hidden


def test_routes_of_episodes_are_not_there(production: str) -> None:
    with http(production) as client:
        for path in ("/reset", "/step", "/web/reset", "/web/step"):
            assert client.post(path, json={"action": {"message": "Hi"}}).status_code == 404
        for path in ("/state", "/web/state"):
            assert client.get(path).status_code == 404
        assert client.delete("/session").status_code == 404
        for path in ("/health", "/metadata", "/schema", "/docs", "/web", "/web/metadata"):
            assert client.get(path).status_code == 200
        assert client.get("/schema").json()["page"] == {"mode": "production"}
        assert not {"/reset", "/step", "/state"} & client.get("/openapi.json").json()["paths"].keys()


def test_socket_refuses_and_lives_on(production: str) -> None:
    with ws(production) as peer:
        for request in (
            {"type": "reset"},
            step("Hi"),
            {"type": "state"},
            {"type": "view"},
            {"type": "reset", "data": {}},
        ):
            refused = ask(peer, request)["data"]
            assert (refused["code"], refused["message"]) == ("FORBIDDEN", HIDDEN.message)
        assert ask(peer, {"type": "mcp", "data": rpc("mode")})["data"]["result"] == "production"


@pytest.mark.parametrize("binary", [False, True])
def test_link_refuses_every_lane_and_lives_on(production: str, binary: bool) -> None:
    with Client(production, binary=binary) as client:
        assert isinstance(client.ask(Open((0, 1))), Opened)
        for request in (Reset(), Step({"message": "Hi"}), GetState(), GetView(), GetSnapshot(), Restore(b"OES1")):
            assert client.ask(request, 0) == HIDDEN
        for op, data in (("reset", None), ("step", [{"message": "Hi"}] * 2), ("state", None)):
            refused = batch(client, op, [0, 1], data)
            assert [refused.errors[lane].code for lane in (0, 1)] == ["FORBIDDEN"] * 2
        forked = client.ask(Fork((2,)), 0)
        assert forked == HIDDEN or (isinstance(forked, Forked) and forked.errors[2].code == "FORBIDDEN")
        answered = client.ask(JsonRpc(rpc("mode")), 0)
        assert isinstance(answered, JsonRpcReply)
        assert answered.payload["result"] == "production"


def test_clients_and_vectors_are_refused_by_type(production: str) -> None:
    with EchoEnv(production) as env:
        for call in (env.reset, env.state, lambda: env.step(EchoAction(message="Hi"))):
            with pytest.raises(Refused, match="production mode"):
                call()
    with EchoEnv.vector(production, 2) as envs:
        results = envs.reset()
        assert [type(result.error) for result in results] == [Refused, Refused]


def test_environments_own_ui_is_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("nobody may play")

    config = ServerConfig(web=True, mode="production")
    app = create_app(Guarded, EchoAction, EchoObservation, config=config, gradio_builder=never)
    assert "/web/gradio" not in {getattr(route, "path", "") for route in app.routes}


# ---- what is said, and to whom


@pytest.mark.parametrize("isolation", ["thread", "process"])
@pytest.mark.parametrize("mode", ["production", "simulation"])
def test_environment_is_told_and_what_it_raises_stays_here(isolation: str, mode: str) -> None:
    with serving(app_of(Guarded, mode=mode, isolation=isolation)) as url, ws(url) as peer:
        assert ask(peer, {"type": "mcp", "data": rpc("mode")})["data"]["result"] == mode
        failed = ask(peer, {"type": "mcp", "data": rpc("other")})["data"]["error"]["message"]
    assert (SECRET in failed) == ("ValueError" in failed) == (mode == "simulation")
    assert failed


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_why_it_could_not_be_built_stays_here(isolation: str) -> None:
    with serving(app_of(Unbuildable, mode="production", isolation=isolation)) as url, ws(url) as peer:
        refused = peer.recv(timeout=8)
    assert "FACTORY_ERROR" in str(refused)
    assert SECRET not in str(refused)
    assert "ValueError" not in str(refused)


def test_attribute_of_the_environments_own_is_left_alone() -> None:
    with serving(app_of(Moody, mode="production")) as url, ws(url) as peer:
        assert ask(peer, {"type": "mcp", "data": rpc("mode")})["data"]["result"] == "easy"


def test_only_what_the_environment_raised_is_left_out() -> None:
    ours = Fault("EXECUTION_ERROR", "The environment is gone: its worker process died.")
    theirs = Fault("EXECUTION_ERROR", SECRET, {"exception": "ValueError"})
    assert discreet(ours) == ours
    assert SECRET not in repr(discreet(theirs))
    assert discreet(theirs).details == {}


# ---- how it is chosen


@pytest.mark.parametrize(
    ("variable", "argument", "config", "mode"),
    [
        (None, None, None, None),
        (None, "Production", None, "production"),
        (None, ServerMode.PRODUCTION, None, "production"),
        ("simulation", "production", None, "simulation"),
        ("PRODUCTION", None, None, "production"),
        ("production", None, ServerConfig(), None),
        (None, "production", ServerConfig(), "production"),
        (None, "production", ServerConfig(mode="simulation"), "simulation"),
    ],
)
def test_mode_is_the_first_that_is_given(
    monkeypatch: pytest.MonkeyPatch, variable: str | None, argument: Any, config: ServerConfig | None, mode: str | None
) -> None:
    if variable is not None:
        monkeypatch.setenv("OPENENV_MODE", variable)
    app = create_app(EchoEnvironment, EchoAction, EchoObservation, mode=argument, config=config)
    assert app.state.openenv.config.mode == mode


def test_mode_that_there_is_none_of_is_refused_with_those_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"Invalid mode: 'prod'.*'simulation' or 'production'"):
        create_app(EchoEnvironment, EchoAction, EchoObservation, mode="prod")
    with pytest.raises(ConfigurationError, match="Invalid mode"):
        ServerConfig(mode="")
    monkeypatch.setenv("OPENENV_MODE", "prod")
    with pytest.raises(ConfigurationError, match="OPENENV_MODE='prod'"):
        create_app(EchoEnvironment, EchoAction, EchoObservation)
