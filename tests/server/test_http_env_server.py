"""`openenv.server.http_env_server`: its routes on any app, what it tells of its sessions, and that it ends them."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount

from openenv import Observation, State
from openenv.env import ServerMode
from openenv.env.capacity import ConcurrencyConfig
from openenv.errors import ConfigurationError
from openenv.server import ServerConfig
from openenv.server.app import create_app, create_fastapi_app, create_web_interface_app
from openenv.server.http_env_server import HTTPEnvServer
from tests.server.peers import ask, closing, http, step, ws
from tests.server.stage import InlineStaged, Stage, Staged
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation
from tests.support.serving import serving

SHAPES = (EchoAction, EchoObservation)


class Single(EchoEnvironment):
    SUPPORTS_CONCURRENT_SESSIONS = False


def server_of(env: Any = EchoEnvironment, *arguments: Any, **options: Any) -> HTTPEnvServer:
    return HTTPEnvServer(env, *SHAPES, *arguments, **options)


def paths(app: FastAPI) -> set[str]:
    return {path for route in app.routes if (path := getattr(route, "path", None))}


# ---- what it refuses


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"max_concurrent_envs": 2, "concurrency_config": ConcurrencyConfig()}, "both given"),
        ({"max_concurrent_envs": 0}, "must be 1 or more"),
        ({"env": Single, "max_concurrent_envs": 2}, "SUPPORTS_CONCURRENT_SESSIONS"),
        ({"env": Single, "concurrency_config": ConcurrencyConfig(max_concurrent_envs=2)}, "SUPPORTS_CONCURRENT"),
        ({"env": dict}, "is no environment"),
    ],
)
def test_what_contradicts_itself_is_refused_as_a_value_error(options: dict[str, Any], said: str) -> None:
    given = dict(options)
    env = given.pop("env", EchoEnvironment)
    for build in (HTTPEnvServer, create_fastapi_app, create_app):
        with pytest.raises(ValueError, match=said) as raised:
            build(env, *SHAPES, **given)
        assert isinstance(raised.value, ConfigurationError)


def test_routes_are_registered_once_and_before_the_app_starts() -> None:
    server, app = server_of(), FastAPI()
    server.register_routes(app)
    with pytest.raises(ConfigurationError, match="already"):
        server.register_routes(FastAPI())
    with pytest.raises(ConfigurationError, match="Invalid mode"):
        server_of().register_routes(FastAPI(), mode="prod")
    with serving(app), pytest.raises(RuntimeError, match="started"):
        server_of().register_routes(app)


# ---- on an app of somebody else's


def test_sessions_end_before_the_apps_own_lifespan_does() -> None:
    told: list[str] = []
    stage = Stage()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, str]]:
        told.append("up")
        yield {"greeting": "hello"}
        told.append(f"down, {stage.count('close')} closed")

    app = FastAPI(title="Mine", version="7", lifespan=lifespan)

    @app.get("/health")
    async def mine() -> dict[str, str]:
        return {"status": "mine"}

    server = server_of(partial(Staged, stage), config=ServerConfig(drain_s=2))
    server.register_routes(app)
    with serving(app) as url, http(url) as client:
        assert client.get("/health").json() == {"status": "mine"}
        assert client.get("/schema").json()["action"]["title"] == "EchoAction"
        described = client.get("/openapi.json").json()
        assert (described["info"]["title"], described["info"]["version"]) == ("Mine", "7")
        assert "EchoAction" in described["components"]["schemas"]
        assert client.get("/schema", headers={"Origin": "https://evil.example"}).status_code == 403
        assert client.get("/health", headers={"Host": "evil.example"}).status_code == 200
        client.post("/reset")  # the session stays, as nobody ends it
    assert told == ["up", "down, 1 closed"]


def test_idle_sessions_end_on_an_app_with_its_own_lifespan_but_never_under_a_connection() -> None:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield

    stage = Stage()
    app = FastAPI(lifespan=lifespan)
    held = ConcurrencyConfig(max_concurrent_envs=2, session_timeout=0.2)
    server = server_of(partial(InlineStaged, stage), concurrency_config=held)
    server.register_routes(app)
    with serving(app) as url, ws(url) as peer, http(url) as client:
        ask(peer, step("before"))
        client.post("/reset")
        stage.expect("close")
        assert server.active_sessions == 1
        assert ask(peer, step("after"))["data"]["observation"]["echoed_message"] == "after"
        assert stage.count("close") == 1


def test_two_servers_share_an_app_below_prefixes_of_their_own() -> None:
    apps = [FastAPI(), FastAPI()]
    for each, name in zip(apps, ("left", "right"), strict=True):
        server_of(env_name=name).register_routes(each)
    both = FastAPI()
    for each, name in zip(apps, ("left", "right"), strict=True):
        both.mount(f"/{name}", each)
    with serving(both) as url, http(url) as client:
        for name in ("left", "right"):
            assert client.get(f"/{name}/list_environments").json() == [name]


# ---- what it tells


def test_capacity_and_sessions_are_told_as_they_are() -> None:
    app, server = FastAPI(), server_of(max_concurrent_envs=2)
    server.register_routes(app)
    assert (server.max_concurrent_envs, server.active_sessions, server.is_concurrency_safe) == (2, 0, True)
    assert server.concurrency_config == ConcurrencyConfig(max_concurrent_envs=2, session_timeout=900)
    with serving(app) as url, http(url, headers={"X-Session-Id": "new"}) as client:
        before = time.time()
        session_id = client.post("/reset").headers["X-Session-Id"]
        for _ in range(3):
            client.post("/step", json={"action": {"message": "Hi"}}, headers={"X-Session-Id": session_id})
        after = time.time()
        info = server.get_session_info(session_id)
        assert info is not None
        assert (info.session_id, info.step_count, info.environment_type) == (session_id, 3, "EchoEnvironment")
        assert before - 0.1 <= info.created_at <= info.last_activity_at <= after + 0.1
        status = server.get_capacity_status()
        assert (status.active_sessions, status.available_slots, status.is_at_capacity) == (1, 1, False)
        client.post("/reset")
        assert server.get_capacity_status().is_at_capacity
        client.delete("/session", headers={"X-Session-Id": session_id})
        assert server.get_session_info(session_id) is None


def test_steps_over_a_socket_are_counted_too() -> None:
    app, server = FastAPI(), server_of()
    server.register_routes(app)
    with serving(app) as url, ws(url) as peer:
        for _ in range(4):
            ask(peer, step("Hi"))
        (session_id,) = server.sessions._sessions
        info = server.get_session_info(session_id)
        assert info is not None
        assert info.step_count == 4


def test_class_that_a_factory_builds_is_not_known_before_it_has_built_one() -> None:
    server = server_of(lambda: EchoEnvironment())
    assert not server.is_concurrency_safe
    assert isinstance(server._env_factory(), EchoEnvironment)


def test_session_timeout_gives_way_to_the_variable_and_to_a_config(monkeypatch: pytest.MonkeyPatch) -> None:
    held = ConcurrencyConfig(session_timeout=5)
    assert server_of(concurrency_config=held).config.idle_s == 5
    assert server_of(concurrency_config=held, config=ServerConfig()).config.idle_s == 5
    assert server_of(concurrency_config=held, config=ServerConfig(idle_s=7)).config.idle_s == 7
    monkeypatch.setenv("OPENENV_IDLE_S", "9")
    assert server_of(concurrency_config=held).config.idle_s == 9


def test_classes_of_state_and_first_observation_are_in_the_schema() -> None:
    class Board(State):
        cells: int = 9

    class Opening(Observation):
        rules: str = ""

    app = create_app(EchoEnvironment, *SHAPES, state_cls=Board, reset_observation_cls=Opening)
    with serving(app) as url, http(url) as client:
        schema = client.get("/schema").json()
        assert schema["state"]["title"] == "Board"
        assert "rules" in schema["reset_observation"]["properties"]
        described = client.get("/openapi.json").json()
        known, answers = described["components"]["schemas"], described["paths"]
        for path, name, title in (("/reset", "ResetResponse", "Opening"), ("/step", "StepResponse", "EchoObservation")):
            answer = answers[path]["post"]["responses"]["200"]["content"]["application/json"]["schema"]
            assert answer == {"$ref": f"#/components/schemas/{name}"}
            assert known[name]["properties"]["observation"]["$ref"].endswith(title)
    with serving(create_app(EchoEnvironment, *SHAPES)) as url, http(url) as client:
        assert "reset_observation" not in client.get("/schema").json()


def test_page_is_there_as_the_function_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "/web" in paths(create_web_interface_app(EchoEnvironment, *SHAPES, "echo", 3))
    monkeypatch.setenv("ENABLE_WEB_INTERFACE", "1")
    assert "/web" in paths(create_app(EchoEnvironment, *SHAPES))
    assert "/web" not in paths(create_fastapi_app(EchoEnvironment, *SHAPES))


@pytest.mark.parametrize(("variable", "status"), [(None, 404), ("simulation", 200)])
def test_mode_may_be_said_when_the_routes_are_registered(
    monkeypatch: pytest.MonkeyPatch, variable: str | None, status: int
) -> None:
    if variable is not None:
        monkeypatch.setenv("OPENENV_MODE", variable)
    app, server = FastAPI(), server_of(max_concurrent_envs=3)
    server.register_routes(app, mode=ServerMode.PRODUCTION)
    with serving(app) as url, http(url) as client:
        assert client.post("/reset").status_code == status
        assert server.sessions is app.state.openenv
        assert server.get_capacity_status().max_sessions == 3


# ---- as it is used elsewhere


class Calendar(HTTPEnvServer):
    """Has one environment of its own, and routes of its own in place of ours."""

    def __init__(self, env: Any, action_cls: Any, observation_cls: Any) -> None:
        self.action_cls = action_cls
        super().__init__(env=env, action_cls=action_cls, observation_cls=observation_cls)
        self.env = self._env_factory() if callable(self._env_factory) else self._env_factory

    def register_routes(self, app: FastAPI) -> None:  # type: ignore[override]
        @app.post("/step")
        async def stepped(body: dict[str, Any]) -> dict[str, Any]:
            observation = self.env.step(self.action_cls(**body.get("action", body)))
            return {"observation": observation.model_dump(), "reward": observation.reward, "done": observation.done}


@pytest.mark.parametrize("env", [EchoEnvironment, partial(EchoEnvironment), EchoEnvironment()])
def test_subclass_with_routes_of_its_own(env: Any) -> None:
    app = FastAPI()
    Calendar(env, *SHAPES).register_routes(app)
    with serving(app) as url, http(url) as client:
        assert client.post("/step", json={"message": "Hi"}).json()["observation"]["echoed_message"] == "Hi"
        assert client.get("/schema").status_code == 404


def without(*unwanted: str) -> Callable[[FastAPI], None]:
    def take_away(app: FastAPI) -> None:
        app.routes[:] = [route for route in app.routes if getattr(route, "path", None) not in unwanted]

    return take_away


def test_author_replaces_routes() -> None:
    app = create_app(lambda: EchoEnvironment(), *SHAPES, env_name="awm", config=ServerConfig(web=True))
    without("/reset", "/step", "/web")(app)

    @app.post("/reset")
    async def reset() -> JSONResponse:
        return JSONResponse({"error": "not here"}, 400)

    @app.get("/web")
    async def web() -> PlainTextResponse:
        return PlainTextResponse("my own page")

    with serving(app) as url, http(url) as client, ws(url) as peer:
        assert client.post("/reset").status_code == 400
        assert client.post("/step", json={"action": {"message": "Hi"}}).status_code == 404
        assert client.get("/web").text == "my own page"
        assert ask(peer, {"type": "reset"})["data"]["observation"]["echoed_message"] == "ready"


def test_author_keeps_the_socket_alone_and_wraps_the_lifespan() -> None:
    stage = Stage()
    told: list[int] = []
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    server = server_of(partial(Staged, stage), max_concurrent_envs=1)
    server.register_routes(app)
    app.router.routes[:] = [route for route in app.router.routes if getattr(route, "path", None) == "/ws"]
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with inner(app):
            yield
        told.append(stage.count("close"))

    app.router.lifespan_context = lifespan
    with serving(app) as url, ws(url) as peer, http(url) as client:
        ask(peer, {"type": "reset"})
        assert client.get("/health").status_code == 404
        peer.send('{"type": "close"}')
        assert closing(peer) == 1000
    assert told == [1]


def test_author_mounts_a_page_in_place_of_ours_and_finds_the_manager() -> None:
    app = create_app(EchoEnvironment, *SHAPES, "echo", config=ServerConfig(web=True))
    cells = [
        cell.cell_contents
        for route in app.routes
        for cell in (getattr(getattr(route, "endpoint", None), "__closure__", None) or ())
    ]
    (manager,) = {id(each): each for each in cells if type(each).__name__ == "WebInterfaceManager"}.values()
    own = FastAPI()

    @own.get("/")
    async def played() -> dict[str, Any]:
        await manager.reset_environment()
        stepped: dict[str, Any] = await manager.step_environment({"message": "Hi"})
        return stepped

    app.routes[:] = [route for route in app.routes if not str(getattr(route, "path", "")).startswith("/web")]
    app.routes.append(Mount("/web", own))
    with serving(app) as url, http(url) as client:
        assert client.get("/web/").json()["observation"]["echoed_message"] == "Hi"
