"""An environment's own Gradio UI at `/web/gradio`, by the calling convention of OpenEnv's `gradio_builder`.

Gradio is imported only when a builder is given: it is large and slow to import, and most environments do without.
"""

import asyncio
import importlib
import logging
import os
from collections.abc import Callable, Coroutine, Generator, Mapping
from typing import Any, Self, TypeVar

import orjson
from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from openenv.env import EnvironmentMetadata
from openenv.errors import ConfigurationError
from openenv.protocol import Fault, GetState, Observed, Reset, StateIs, Step, exception_for, rule_of
from openenv.protocol.dialect1 import load_json
from openenv.server.access import GRADIO_PATH, gradio_pass
from openenv.server.page import frame_ancestors
from openenv.server.session import Session, SessionState
from openenv.server.sessions import SessionTable

__all__ = ["GradioBuilder", "GradioSession", "action_fields", "mount_gradio"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

# (web_manager, action_fields, metadata, is_chat_env, title, quick_start_md) -> gr.Blocks, which we do not import
GradioBuilder = Callable[["GradioSession", list[dict[str, Any]], EnvironmentMetadata, bool, str, str], Any]

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
_LONG_TEXT = 100


def mount_gradio(
    app: FastAPI,
    builder: GradioBuilder,
    table: SessionTable,
    *,
    action_schema: Mapping[str, Any],
    metadata: EnvironmentMetadata,
) -> bool:
    """Build the UI and show it below `/web/gradio`; tell whether Gradio is there to do it.

    Raises:
        ConfigurationError: The builder returned something that is no `gr.Blocks`.
    """
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # a server of ours tells nobody that it runs
    try:
        gradio = importlib.import_module("gradio")
    except ModuleNotFoundError as error:
        if error.name != "gradio":
            raise
        logger.warning("there is no %s, as gradio_builder needs Gradio: pip install gradio", GRADIO_PATH)
        return False
    session = GradioSession(table, metadata)
    fields = action_fields(action_schema)
    is_chat = len(fields) == 1 and fields[0]["type"] in ("text", "textarea")
    title = f"OpenEnv Agentic Environment: {metadata.name}"
    example = {field["name"]: "..." for field in fields if field["required"]}
    blocks = builder(session, fields, metadata, is_chat, title, _QUICK_START.format(action=example))
    if not isinstance(blocks, gradio.Blocks):
        raise ConfigurationError(f"gradio_builder returned {type(blocks).__name__}; return the gr.Blocks that it built")
    gradio.mount_gradio_app(app, blocks, path=GRADIO_PATH, ssr_mode=False)
    app.add_middleware(_Around, session=session, table=table)
    return True


class StateDict(dict[str, Any]):
    """A state that may also be awaited, as builders are written both ways."""

    def __await__(self) -> Generator[Any, None, Self]:
        """Give the state itself."""
        yield from ()
        return self


class GradioSession:
    """What a builder knows as `web_manager`: one session, shared by all who look at the UI, within the server's limits.

    It is opened when it is first used, and expires like any session that no connection holds; a reset opens another.

    Attributes:
        metadata: What the environment's class says about it.
    """

    def __init__(self, table: SessionTable, metadata: EnvironmentMetadata) -> None:
        self.metadata = metadata
        self._table = table
        self._session: Session | None = None
        self._state = StateDict()
        self._turn = asyncio.Lock()
        self._home: asyncio.AbstractEventLoop | None = None

    async def reset_environment(self, reset_kwargs: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Begin an episode. Raises what the server answers instead, as a client would."""
        return await self._at_home(self._act(Reset(dict(reset_kwargs or {})), renew=True))

    async def step_environment(self, action: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out one action. Raises as `reset_environment` does."""
        return await self._at_home(self._act(Step(dict(action)), renew=False))

    def get_state(self) -> StateDict:
        """Give the state after the last reset or step; empty before the first."""
        return self._state

    def seen_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """Remember the server's loop, as an event handler may be run on another."""
        self._home = loop

    async def _at_home(self, work: Coroutine[Any, Any, T]) -> T:
        if self._home is None or self._home is asyncio.get_running_loop():
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._home))

    async def _act(self, request: Reset | Step, *, renew: bool) -> dict[str, Any]:
        async with self._turn:
            session = self._session
            if session is None or (renew and session.state is not SessionState.OPEN):
                session = self._session = await self._table.open()
            reply = await session.perform(request)
            if isinstance(reply, Observed):
                state = await session.perform(GetState())
                self._state = StateDict(_plain(state.state)) if isinstance(state, StateIs) else StateDict()
                return {"observation": _plain(reply.observation), "reward": reply.reward, "done": reply.done}
            assert isinstance(reply, Fault)  # no other reply fits
            if rule_of(reply.code).ends_session:
                self._table.end(session, reply.message)
            raise exception_for(reply)


class _Around:
    """ASGI middleware: lets our page show the UI in a frame, and gives a browser the pass that takes it there."""

    def __init__(self, app: ASGIApp, session: GradioSession, table: SessionTable) -> None:
        self._app = app
        self._session = session
        self._policy = frame_ancestors(table.config.frame_ancestors)
        self._token = table.config.token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and put what is missing into the head of its answer."""
        path = scope["path"].removeprefix(scope.get("root_path", "")) if scope["type"] == "http" else ""
        added: list[tuple[str, str]] = []
        if path.startswith(GRADIO_PATH):
            self._session.seen_on(asyncio.get_running_loop())
            added.append(("Content-Security-Policy", self._policy))
        elif path == "/schema" and (given := gradio_pass(scope, self._token)):
            added.append(("Set-Cookie", f"{given}; HttpOnly; SameSite=Strict"))

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in added:
                    headers.append(name, value)
            await send(message)

        await self._app(scope, receive, sending if added else send)


def _plain(value: Any) -> Any:
    return load_json(orjson.dumps(value))


def action_fields(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List the fields of an action as builders expect them, the wire's own left out."""
    required = schema.get("required", ())
    return [
        _field(name, _resolved(described, schema), name in required)
        for name, described in schema.get("properties", {}).items()
        if name != "metadata"
    ]


def _field(name: str, described: Mapping[str, Any], is_required: bool) -> dict[str, Any]:
    return {
        "name": name,
        "type": _kind(name, described),
        "required": is_required,
        "description": described.get("description", ""),
        "default_value": described.get("default"),
        "choices": described.get("enum"),
        "min_value": described.get("minimum"),
        "max_value": described.get("maximum"),
        "min_length": described.get("minLength"),
        "max_length": described.get("maxLength"),
        "pattern": described.get("pattern"),
        "placeholder": f"Enter {name.replace('_', ' ')} ...",
        "help": described.get("description", ""),
    }


def _kind(name: str, described: Mapping[str, Any]) -> str:
    if "enum" in described:
        return "select"
    match described.get("type"):
        case "boolean":
            return "checkbox"
        case "integer" | "number":
            return "number"
    if name == "tokens":
        return "tensor"
    is_long = name in ("message", "code") or described.get("maxLength", 0) > _LONG_TEXT
    return "textarea" if is_long else "text"


def _resolved(described: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow a reference, and the one way to fill in an optional field."""
    if "$ref" in described:
        target = root.get("$defs", {}).get(described["$ref"].rpartition("/")[2], {})
        return {**target, **{key: value for key, value in described.items() if key != "$ref"}}
    given = [branch for branch in described.get("anyOf", ()) if branch.get("type") != "null"]
    if len(given) == 1:
        return {**_resolved(given[0], root), **{key: value for key, value in described.items() if key != "anyOf"}}
    return described
