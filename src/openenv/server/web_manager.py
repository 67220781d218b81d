"""One session that all who look at an environment's own web UI share, and the routes by which such UIs drive it.

The page at `/web` needs none of this: it gives each visitor a session. Environments that bring a UI of their own, with
Gradio or by routes that they put on the app, were written for such a manager.
"""

import asyncio
import dataclasses
import datetime
import os
from collections.abc import Coroutine, Generator, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

import orjson
from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from openenv.env import EnvironmentAdapter, EnvironmentMetadata, EnvironmentSource
from openenv.env.http_models import BaseMessage
from openenv.env.interface import describe
from openenv.errors import BadRequest
from openenv.protocol import Fault, GetState, Observed, Reset, StateIs, Step, exception_for, rule_of
from openenv.protocol.dialect1 import load_json
from openenv.server.access import Scope, scope_of
from openenv.server.config import ServerConfig
from openenv.server.http import answering, json_answer, orchestrator_only, read_body
from openenv.server.readme import read_readme
from openenv.server.session import Session, SessionState
from openenv.server.sessions import SessionTable

__all__ = [
    "ActionLog",
    "EpisodeState",
    "WebInterfaceManager",
    "get_quick_start_markdown",
    "load_environment_metadata",
    "manager_routes",
]

T = TypeVar("T")

_MAX_LOGGED = 1000
_MAX_WATCHERS = 64
_SEND_S = 5.0
_FORBIDDEN = 4403
_QUICK_START = """\
### Quick start

```python
from openenv import GenericEnvClient

with GenericEnvClient(base_url="http://localhost:8000") as env:
    result = env.reset()
    result = env.step({action})
    print(result.observation, result.reward)
```
"""


class ActionLog(BaseMessage):
    """One step, as a UI lists it."""

    timestamp: str = Field(description="When it was taken, in ISO 8601.")
    action: dict[str, Any]
    observation: dict[str, Any]
    reward: float | None = None
    done: bool = False
    step_count: int = Field(default=0, ge=0, description="Which step of the episode it is, from 1.")


class EpisodeState(BaseMessage):
    """The episode so far, as a UI shows it."""

    episode_id: str | None = None
    step_count: int = Field(default=0, ge=0)
    current_observation: dict[str, Any] | None = None
    action_logs: list[ActionLog] = Field(default_factory=list, description=f"The last {_MAX_LOGGED} steps.")
    is_reset: bool = Field(default=True, description="Whether no step was taken since the reset.")


class StateDict(dict[str, Any]):
    """A state that may also be awaited, as UIs are written both ways."""

    def __await__(self) -> Generator[Any, None, Self]:
        """Give the state itself."""
        yield from ()
        return self


class WebInterfaceManager:
    """One session, shared by all who look at a UI.

    It is opened when it is first used, and expires like any session that no connection holds; a reset opens another.

    Args:
        env: An environment class, a function that builds one, or one instance.
        action_cls: What actions are validated against.
        observation_cls: What the environment returns.
        metadata: What is known of the environment; by default what its class says.

    Attributes:
        metadata: What is known of the environment.
        episode_state: The episode so far.
        connected_clients: The sockets that are told of it.
    """

    def __init__(
        self,
        env: Any,
        action_cls: type[BaseModel],
        observation_cls: type[BaseModel],
        metadata: EnvironmentMetadata | None = None,
    ) -> None:
        table = SessionTable(EnvironmentSource(env), action_cls, ServerConfig())
        self._begin(table, metadata or table.metadata_of_class(None))

    @classmethod
    def of(cls, table: SessionTable, metadata: EnvironmentMetadata) -> Self:
        """Make one whose session is a server's, within its limits."""
        manager = cls.__new__(cls)
        manager._begin(table, metadata)
        return manager

    def _begin(self, table: SessionTable, metadata: EnvironmentMetadata) -> None:
        self.metadata = metadata
        self.episode_state = EpisodeState()
        self.connected_clients: list[WebSocket] = []
        self._table = table
        self._session: Session | None = None
        self._state = StateDict()
        self._turn = asyncio.Lock()
        self._home: asyncio.AbstractEventLoop | None = None

    @property
    def env(self) -> Any:
        """The environment, if it lives in this process and was reset; its calls are the manager's to make."""
        return getattr(self._session, "environment", None)

    async def reset_environment(self, reset_kwargs: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Begin an episode. Raises what the server answers instead, as a client would."""
        return await self._at_home(self._act(Reset(dict(reset_kwargs or {}))))

    async def step_environment(self, action_data: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out one action. Raises as `reset_environment` does."""
        return await self._at_home(self._act(Step(dict(action_data))))

    def get_state(self) -> StateDict:
        """Give the state after the last reset or step; empty before the first."""
        return self._state

    def seen_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Remember the server's loop, as an event handler may be run on another."""
        self._home = loop

    async def connect_websocket(self, websocket: WebSocket) -> None:
        """Accept a socket, and tell it how the episode goes from now on."""
        await websocket.accept()
        if len(self.connected_clients) >= _MAX_WATCHERS:
            await websocket.close(1013, "too many look on already")
            return
        self.connected_clients.append(websocket)
        await self._tell(websocket)

    async def disconnect_websocket(self, websocket: WebSocket) -> None:
        """Tell a socket nothing more."""
        if websocket in self.connected_clients:
            self.connected_clients.remove(websocket)

    async def close(self) -> None:
        """End the session. One of a server's is ended by that, too."""
        if self._session is not None:
            await asyncio.wait({self._table.end(self._session, "its web UI was closed")})

    async def _at_home(self, work: Coroutine[Any, Any, T]) -> T:
        if self._home is None or self._home is asyncio.get_running_loop():
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._home))

    async def _act(self, request: Reset | Step) -> dict[str, Any]:
        async with self._turn:
            session = self._session
            if session is None or (isinstance(request, Reset) and session.state is not SessionState.OPEN):
                session = self._session = await self._table.open()
            reply = await session.perform(request)
            if isinstance(reply, Observed):
                state = await session.perform(GetState())
                self._state = StateDict(_plain(state.state)) if isinstance(state, StateIs) else StateDict()
                outcome = {"observation": _plain(reply.observation), "reward": reply.reward, "done": reply.done}
                self._log(request, outcome)
                await asyncio.gather(*(self._tell(each) for each in list(self.connected_clients)))
                return outcome
            assert isinstance(reply, Fault)  # no other reply fits
            if rule_of(reply.code).ends_session:
                self._table.end(session, reply.message)
            raise exception_for(reply)

    def _log(self, request: Reset | Step, outcome: Mapping[str, Any]) -> None:
        before = self.episode_state
        steps, logs = 0, []
        if isinstance(request, Step):
            now = datetime.datetime.now(datetime.UTC).isoformat()
            steps = before.step_count + 1
            logs = [*before.action_logs, ActionLog(timestamp=now, action=request.action, step_count=steps, **outcome)]
        self.episode_state = EpisodeState(
            episode_id=self._state.get("episode_id"),
            step_count=steps,
            current_observation=outcome["observation"],
            action_logs=logs[-_MAX_LOGGED:],
            is_reset=isinstance(request, Reset),
        )

    async def _tell(self, websocket: WebSocket) -> None:
        """Send the episode to one who looks on; whoever does not read is left behind."""
        said = {"type": "state_update", "episode_state": self.episode_state.model_dump(mode="json")}
        try:
            async with asyncio.timeout(_SEND_S):
                await websocket.send_json(said)
        except (TimeoutError, WebSocketDisconnect, RuntimeError):  # the last by a socket that was closed meanwhile
            await self.disconnect_websocket(websocket)


def manager_routes(table: SessionTable, metadata: EnvironmentMetadata) -> APIRouter:
    """Build the routes below `/web` by which UIs written for OpenEnv drive the one shared session."""
    router = APIRouter(include_in_schema=False)
    limit = table.config.max_body_bytes
    web_manager = WebInterfaceManager.of(table, metadata)  # environments look for it in the closures of these functions

    async def web_metadata() -> Response:
        return json_answer(dataclasses.asdict(web_manager.metadata))

    async def web_state(request: Request) -> Response:
        return await answering(lambda request: _state(request, web_manager))(request)

    async def web_reset(request: Request) -> Response:
        return await answering(lambda request: _reset(request, web_manager, limit))(request)

    async def web_step(request: Request) -> Response:
        return await answering(lambda request: _step(request, web_manager, limit))(request)

    async def watch(websocket: WebSocket) -> None:
        if scope_of(websocket.scope) is not Scope.ORCHESTRATOR:
            await websocket.close(_FORBIDDEN)
            return
        await web_manager.connect_websocket(websocket)
        try:
            while (await websocket.receive())["type"] != "websocket.disconnect":
                pass  # what it says is nobody's business
        finally:
            await web_manager.disconnect_websocket(websocket)

    router.add_api_route("/web/metadata", web_metadata, methods=["GET"])
    if not table.config.is_production:
        router.add_api_route("/web/state", web_state, methods=["GET"])
        router.add_api_route("/web/reset", web_reset, methods=["POST"])
        router.add_api_route("/web/step", web_step, methods=["POST"])
        router.routes.append(WebSocketRoute("/ws/ui", watch))
    return router


async def _state(request: Request, manager: WebInterfaceManager) -> Response:
    orchestrator_only(request)
    return json_answer(manager.get_state())


async def _reset(request: Request, manager: WebInterfaceManager, max_body_bytes: int) -> Response:
    orchestrator_only(request)
    return json_answer(await manager.reset_environment(await read_body(request, max_body_bytes)))


async def _step(request: Request, manager: WebInterfaceManager, max_body_bytes: int) -> Response:
    body = await read_body(request, max_body_bytes)
    action = body.get("action", {"message": body["message"]} if "message" in body else None)
    if not isinstance(action, dict):
        raise BadRequest("INVALID_JSON", 'Send {"action": {...}}, or {"message": "..."}.')
    return json_answer(await manager.step_environment(action))


def load_environment_metadata(env: Any, env_name: str | None = None) -> EnvironmentMetadata:
    """Say what is known of an environment without building one: of an instance by itself, else by its class.

    Args:
        env: An environment class, a function that builds one, or one instance.
        env_name: Its name, in place of the class's.
    """
    source = EnvironmentSource(env)
    if source.is_instance and source.spec is not None:
        described = EnvironmentAdapter(env, source.spec).metadata()
    elif source.spec is not None:
        described = describe(source.spec.environment_class)
    else:
        described = EnvironmentMetadata(name=source.name)
    given = os.environ.get("ENV_README_PATH")
    environment_class = source.spec.environment_class if source.spec else None
    readme = described.readme_content or read_readme(environment_class, Path(given) if given else None)
    return dataclasses.replace(described, name=env_name or described.name, readme_content=readme)


def get_quick_start_markdown(
    metadata: EnvironmentMetadata | None, action_cls: type[BaseModel], observation_cls: type[BaseModel]
) -> str:
    """Write how a program uses the environment, for people who look at its UI."""
    required = [name for name, field in action_cls.model_fields.items() if field.is_required()]
    return _QUICK_START.format(action=dict.fromkeys(required, "..."))


def _plain(value: Any) -> Any:
    return load_json(orjson.dumps(value))
