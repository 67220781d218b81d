"""`HTTPEnvServer`: an environment's sessions, and their routes on any FastAPI app. `create_app` is built on it."""

import dataclasses
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from openenv.env import EnvironmentSource, ServerMode
from openenv.env.capacity import ConcurrencyConfig, ServerCapacityStatus, SessionInfo
from openenv.errors import ConfigurationError
from openenv.server.access import AccessControl, scope_of
from openenv.server.config import ServerConfig
from openenv.server.http import routes
from openenv.server.links import Links
from openenv.server.mcp import mcp_routes
from openenv.server.schema import Schemas, document
from openenv.server.sessions import SessionTable
from openenv.server.tasks import Tasks, task_routes
from openenv.server.ws import serve_socket

__all__ = ["HTTPEnvServer", "settings"]


class HTTPEnvServer:
    """Serves an environment by the routes that it registers.

    Args:
        env: An environment class, a function or partial that builds one, or one instance.
        action_cls: What actions are validated against.
        observation_cls: What the environment returns, for `/schema`.
        max_concurrent_envs: Sessions at once. None gives 64 to a class with `SUPPORTS_CONCURRENT_SESSIONS`, else 1.
            The variable `OPENENV_MAX_SESSIONS` goes before it.
        concurrency_config: The same, and seconds until an idle session ends, in place of `max_concurrent_envs`.
        env_name: The name under `/metadata` and of the task routes; the class name when None.
        state_cls: The state's class, when the environment's annotations do not say.
        reset_observation_cls: What `reset` returns, where that is another class than `observation_cls`.
        config: All settings at once, in place of the environment variables of `ServerConfig`.

    Attributes:
        config: The settings that hold.
        schemas: What `/schema` says.
        env_name: The name, if one was given.

    Raises:
        ConfigurationError: `env` is no environment, a class is no model of pydantic, a setting does not parse, two
            contradict each other, or more sessions are asked for than the class bears.
    """

    def __init__(
        self,
        env: Any,
        action_cls: type[BaseModel],
        observation_cls: type[BaseModel],
        max_concurrent_envs: int | None = None,
        concurrency_config: ConcurrencyConfig | None = None,
        env_name: str | None = None,
        state_cls: type[BaseModel] | None = None,
        *,
        reset_observation_cls: type[BaseModel] | None = None,
        config: ServerConfig | None = None,
    ) -> None:
        _check_models(action_cls=action_cls, observation_cls=observation_cls)
        _check_models(reset_observation_cls=reset_observation_cls or BaseModel, state_cls=state_cls or BaseModel)
        self.config = settings(config, max_concurrent_envs, concurrency_config)
        self.env_name = env_name
        self.action_cls, self.observation_cls = action_cls, observation_cls
        self._source = source = EnvironmentSource(env)
        self._env_factory: Callable[[], Any] = source.factory  # by this name subclasses build one of their own
        self._table = SessionTable(source, action_cls, self.config)
        self._is_registered = False
        self.schemas = Schemas(
            action_cls,
            observation_cls,
            lambda: source.spec,
            state_class=state_cls,
            reset_observation_class=reset_observation_cls,
        )

    @property
    def name(self) -> str:
        """The name of the environment: the one given, or that of its class or factory."""
        return self.env_name or self._source.name

    @property
    def sessions(self) -> SessionTable:
        """The sessions."""
        return self._table

    @property
    def active_sessions(self) -> int:
        """Places taken."""
        return self._table.active

    @property
    def max_concurrent_envs(self) -> int:
        """Sessions at once."""
        return self._table.limit

    @property
    def is_concurrency_safe(self) -> bool:
        """Whether the class promises that instances share nothing; False for a bare factory that has built none yet."""
        spec = self._source.spec
        return spec is not None and spec.is_concurrent

    @property
    def concurrency_config(self) -> ConcurrencyConfig:
        """How many sessions at once, and how long one that no connection holds may idle, as it is now."""
        return ConcurrencyConfig(max_concurrent_envs=self._table.limit, session_timeout=self.config.idle_s)

    def get_capacity_status(self) -> ServerCapacityStatus:
        """Say how full the server is."""
        return ServerCapacityStatus.from_counts(self._table.active, self._table.limit)

    def get_session_info(self, session_id: str) -> SessionInfo | None:
        """Tell about a session; None when there is none of that id."""
        return self._table.info(session_id)

    def register_routes(self, app: FastAPI, mode: ServerMode | str | None = None) -> None:
        """Put the routes on an app, guard all of it by the access rules, and end the sessions when it stops.

        The app may have a lifespan and routes of its own; those that it has already go before ours. Called once.

        Args:
            app: The app, not yet started.
            mode: `simulation` or `production`, unless `config` or the variable `OPENENV_MODE` says.

        Raises:
            ConfigurationError: There is no such mode, or the routes are registered already.
        """
        if self._is_registered:
            raise ConfigurationError("this server's routes are registered already; make another for another app")
        if mode is not None and self.config.mode is None:
            self.config = dataclasses.replace(self.config, mode=mode)
            self._table = SessionTable(self._source, self.action_cls, self.config)
        table, links = self._table, Links(self._table)
        tasks = Tasks(self._source, timeout_s=self.config.step_timeout_s, is_discreet=self.config.is_production)

        async def ws(websocket: WebSocket) -> None:
            await serve_socket(websocket, table, links, scope_of(websocket.scope))

        async def stop() -> None:
            links.close()
            await table.close()
            await tasks.close()

        app.add_middleware(AccessControl, config=self.config)  # first, as it refuses an app that has started
        self._is_registered = True
        limit = self.config.max_body_bytes
        for router in (
            routes(table, self.schemas, env_name=self.env_name, max_body_bytes=limit),
            task_routes(tasks, lambda: self.name, max_body_bytes=limit),
        ):
            app.router.routes.extend(router.routes)  # each by itself, so that an author can take one away
        mcp = mcp_routes(table, lambda: self._source.spec, env_name=self.env_name)
        app.router.routes += [WebSocketRoute("/ws", ws), *mcp]
        if self.config.is_production:
            self.schemas.page["mode"] = ServerMode.PRODUCTION.value
        if not hasattr(app.state, "openenv"):
            app.state.openenv = table
        document(app, self.schemas)
        _stop_with(app, stop)


def settings(
    config: ServerConfig | None,
    max_concurrent_envs: int | None = None,
    concurrency_config: ConcurrencyConfig | None = None,
    mode: ServerMode | str | None = None,
) -> ServerConfig:
    """Work out the settings that hold, of what was given in code and, without a `config`, the environment variables.

    Raises:
        ConfigurationError: One does not parse, or two contradict each other.
    """
    if max_concurrent_envs is not None and concurrency_config is not None:
        raise ConfigurationError("max_concurrent_envs and concurrency_config were both given; give one of the two")
    if max_concurrent_envs is not None and max_concurrent_envs < 1:
        raise ConfigurationError(f"max_concurrent_envs={max_concurrent_envs}: must be 1 or more")
    asked, idle_s = max_concurrent_envs, None
    if concurrency_config is not None:
        asked, idle_s = concurrency_config.max_concurrent_envs, concurrency_config.session_timeout
    given: dict[str, Any] = {"max_sessions": asked, "mode": mode}
    if config is None:
        return ServerConfig.from_environ(os.environ, **given, **({} if idle_s is None else {"idle_s": idle_s}))
    missing = {name: value for name, value in given.items() if getattr(config, name) is None}
    if idle_s is not None and config.idle_s == ServerConfig.idle_s:
        missing["idle_s"] = idle_s
    return dataclasses.replace(config, **missing)


def _check_models(**classes: Any) -> None:
    for name, given in classes.items():
        if not (isinstance(given, type) and issubclass(given, BaseModel)):
            raise ConfigurationError(f"{name}={given!r} is no model of pydantic; derive it from those of openenv")


def _stop_with(app: FastAPI, stop: Callable[[], Awaitable[None]]) -> None:
    """Have `stop` awaited when the app stops, before what it does then itself."""
    inner = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[Any]:
        async with inner(app) as state:
            try:
                yield state
            finally:
                await stop()

    app.router.lifespan_context = lifespan
