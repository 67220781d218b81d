"""`create_app`: wires an environment to its routes. Decides nothing else."""

import dataclasses
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from openenv.env import EnvironmentSource
from openenv.errors import ConfigurationError
from openenv.server.access import AccessControl, scope_of
from openenv.server.config import ServerConfig
from openenv.server.gradio import GradioBuilder, mount_gradio
from openenv.server.http import routes
from openenv.server.links import Links
from openenv.server.page import page_routes
from openenv.server.schema import Schemas, document
from openenv.server.sessions import SessionTable
from openenv.server.ws import serve_socket

__all__ = ["create_app"]


def create_app(
    env: Any,
    action_cls: type[BaseModel],
    observation_cls: type[BaseModel],
    env_name: str | None = None,
    max_concurrent_envs: int | None = None,
    *,
    state_cls: type[BaseModel] | None = None,
    config: ServerConfig | None = None,
    gradio_builder: GradioBuilder | None = None,
) -> FastAPI:
    """Build the ASGI app that serves an environment.

    Args:
        env: An environment class, a function or partial that builds one, or one instance, which then serves one
            session at a time.
        action_cls: What actions are validated against.
        observation_cls: What the environment returns, for `/schema`.
        env_name: The name under `/metadata`; the class name when None.
        max_concurrent_envs: Sessions at once. None gives 64 to a class with `SUPPORTS_CONCURRENT_SESSIONS`, else 1.
            The variable `OPENENV_MAX_SESSIONS` goes before it.
        state_cls: The state's class, when the environment's annotations do not say.
        config: All settings at once, in place of the environment variables of `ServerConfig`.
        gradio_builder: Builds the environment's own Gradio UI, shown as a tab of the page at `/web`: called with
            `web_manager, action_fields, metadata, is_chat_env, title, quick_start_md`, it returns a `gr.Blocks`.

    Raises:
        ConfigurationError: `env` is no environment, a setting does not parse, or more sessions are asked for than
            the class bears.
    """
    if max_concurrent_envs is not None and max_concurrent_envs < 1:
        raise ConfigurationError(f"max_concurrent_envs={max_concurrent_envs}: must be 1 or more")
    if config is None:
        config = ServerConfig.from_environ(os.environ, max_sessions=max_concurrent_envs)
    elif config.max_sessions is None:
        config = dataclasses.replace(config, max_sessions=max_concurrent_envs)
    source = EnvironmentSource(env)
    table = SessionTable(source, action_cls, config)
    links = Links(table)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        links.close()
        await table.close()

    async def ws(websocket: WebSocket) -> None:
        await serve_socket(websocket, table, links, scope_of(websocket.scope))

    app = FastAPI(
        title="OpenEnv Environment HTTP API",
        version="1.0.0",
        description=f"The environment {env_name or source.name}: sessions over WebSocket at `/ws`, or over HTTP.",
        lifespan=lifespan,
    )
    schemas = Schemas(action_cls, observation_cls, lambda: source.spec, state_class=state_cls)
    if config.web and gradio_builder is not None:
        metadata = table.metadata_of_class(env_name)
        if mount_gradio(app, gradio_builder, table, action_schema=schemas.action, metadata=metadata):
            schemas.server_capabilities += ("gradio",)
    app.include_router(routes(table, schemas, env_name=env_name, max_body_bytes=config.max_body_bytes))
    if config.web:
        app.include_router(page_routes(table))
    app.router.routes.append(WebSocketRoute("/ws", ws))
    app.add_middleware(AccessControl, config=config)
    app.state.openenv = table
    document(app, schemas)
    return app
