"""An environment's own Gradio UI at `/web/gradio`, by the calling convention of OpenEnv's `gradio_builder`.

Gradio is imported only when a builder is given: it is large and slow to import, and most environments do without.
"""

import asyncio
import importlib
import logging
import os
from collections.abc import Callable, Mapping
from typing import Any

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from openenv.env import EnvironmentMetadata
from openenv.errors import ConfigurationError
from openenv.server.access import GRADIO_PATH, gradio_pass
from openenv.server.http_env_server import HTTPEnvServer
from openenv.server.page import frame_ancestors
from openenv.server.sessions import SessionTable
from openenv.server.web_manager import WebInterfaceManager, get_quick_start_markdown

__all__ = ["GradioBuilder", "action_fields", "mount_gradio"]

logger = logging.getLogger(__name__)

# (web_manager, action_fields, metadata, is_chat_env, title, quick_start_md) -> gr.Blocks, which we do not import
GradioBuilder = Callable[["WebInterfaceManager", list[dict[str, Any]], EnvironmentMetadata, bool, str, str], Any]

_LONG_TEXT = 100


def mount_gradio(
    app: FastAPI,
    builder: GradioBuilder,
    server: HTTPEnvServer,
    *,
    metadata: EnvironmentMetadata,
    title: str | None = None,
) -> bool:
    """Build the UI and show it below `/web/gradio`; tell whether it is there, which takes Gradio, and simulation mode.

    Raises:
        ConfigurationError: The builder returned something that is no `gr.Blocks`.
    """
    table = server.sessions
    if table.config.is_production:  # where nobody may do what it is for
        return False
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # a server of ours tells nobody that it runs
    try:
        gradio = importlib.import_module("gradio")
    except ModuleNotFoundError as error:
        if error.name != "gradio":
            raise
        logger.warning("there is no %s, as gradio_builder needs Gradio: pip install gradio", GRADIO_PATH)
        return False
    session = WebInterfaceManager.of(table, metadata)
    fields = action_fields(server.schemas.action)
    is_chat = len(fields) == 1 and fields[0]["type"] in ("text", "textarea")
    title = title or f"OpenEnv Agentic Environment: {metadata.name}"
    quick_start = get_quick_start_markdown(metadata, server.action_cls, server.observation_cls)
    blocks = builder(session, fields, metadata, is_chat, title, quick_start)
    if not isinstance(blocks, gradio.Blocks):
        raise ConfigurationError(f"gradio_builder returned {type(blocks).__name__}; return the gr.Blocks that it built")
    gradio.mount_gradio_app(app, blocks, path=GRADIO_PATH, ssr_mode=False)
    app.add_middleware(_Around, session=session, table=table)
    return True


class _Around:
    """ASGI middleware: lets our page show the UI in a frame, and gives a browser the pass that takes it there."""

    def __init__(self, app: ASGIApp, session: WebInterfaceManager, table: SessionTable) -> None:
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
