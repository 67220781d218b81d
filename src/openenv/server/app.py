"""`create_app` and its like: a FastAPI app with the routes of an `HTTPEnvServer`, and the page at `/web`."""

import dataclasses
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from openenv.env import ServerMode
from openenv.env.capacity import ConcurrencyConfig
from openenv.server.config import ServerConfig
from openenv.server.gradio import GradioBuilder, mount_gradio
from openenv.server.http_env_server import HTTPEnvServer, settings
from openenv.server.page import page_routes
from openenv.server.web_manager import manager_routes

__all__ = ["create_app", "create_fastapi_app", "create_web_interface_app"]


def create_app(
    env: Any,
    action_cls: type[BaseModel],
    observation_cls: type[BaseModel],
    env_name: str | None = None,
    max_concurrent_envs: int | None = None,
    concurrency_config: ConcurrencyConfig | None = None,
    gradio_builder: GradioBuilder | None = None,
    custom_tab_name: str = "Custom",
    custom_tab_primary: bool = False,  # the order is OpenEnv's
    show_default_tab: bool = True,  # as above
    title_override: str | None = None,
    state_cls: type[BaseModel] | None = None,
    *,
    mode: ServerMode | str | None = None,
    reset_observation_cls: type[BaseModel] | None = None,
    config: ServerConfig | None = None,
) -> FastAPI:
    """Build the ASGI app that serves an environment, with the page at `/web` when `config` or the variable asks for it.

    Args:
        env: An environment class, a function or partial that builds one, or one instance, which then serves one
            session at a time.
        action_cls: What actions are validated against.
        observation_cls: What the environment returns, for `/schema`.
        env_name: The name under `/metadata` and of the task routes; the class name when None.
        max_concurrent_envs: Sessions at once. None gives 64 to a class with `SUPPORTS_CONCURRENT_SESSIONS`, else 1.
            The variable `OPENENV_MAX_SESSIONS` goes before it.
        concurrency_config: The same, and seconds until an idle session ends, in place of `max_concurrent_envs`.
        gradio_builder: Builds the environment's own Gradio UI, shown as a tab of the page at `/web`: called with
            `web_manager, action_fields, metadata, is_chat_env, title, quick_start_md`, it returns a `gr.Blocks`.
        custom_tab_name: What the tab of the environment's own UI is called.
        custom_tab_primary: Whether that tab comes first, and is open when the page opens.
        show_default_tab: Whether the page shows anything besides the environment's own UI.
        title_override: The title of the page and of the UI, in place of the environment's name.
        state_cls: The state's class, when the environment's annotations do not say.
        mode: `simulation`, or `production`, in which only the environment's tools may be called. The variable
            `OPENENV_MODE` goes before it.
        reset_observation_cls: What `reset` returns, where that is another class than `observation_cls`.
        config: All settings at once, in place of the environment variables of `ServerConfig`.

    Raises:
        ConfigurationError: `env` is no environment, a setting does not parse, two contradict each other, or more
            sessions are asked for than the class bears.
    """
    held = settings(config, max_concurrent_envs, concurrency_config, mode)
    server = HTTPEnvServer(
        env,
        action_cls,
        observation_cls,
        env_name=env_name,
        state_cls=state_cls,
        reset_observation_cls=reset_observation_cls,
        config=held,
    )
    app = _app_for(server)
    if not held.web:
        server.register_routes(app)
        return app
    metadata = server.sessions.metadata_of_class(env_name)
    if title_override:
        server.schemas.page["title"] = title_override
    tab = {"name": custom_tab_name, "primary": custom_tab_primary, "alone": not show_default_tab}
    if gradio_builder is not None and mount_gradio(
        app, gradio_builder, server, metadata=metadata, title=title_override
    ):
        server.schemas.server_capabilities += ("gradio",)
        server.schemas.page["custom_tab"] = tab
    server.register_routes(app)  # after the UI, as whoever calls that must have passed our access rules
    for router in (page_routes(server.sessions), manager_routes(server.sessions, metadata)):
        app.router.routes.extend(router.routes)
    return app


def create_fastapi_app(
    env: Any,
    action_cls: type[BaseModel],
    observation_cls: type[BaseModel],
    max_concurrent_envs: int | None = None,
    concurrency_config: ConcurrencyConfig | None = None,
    env_name: str | None = None,
    state_cls: type[BaseModel] | None = None,
    *,
    mode: ServerMode | str | None = None,
    reset_observation_cls: type[BaseModel] | None = None,
    config: ServerConfig | None = None,
) -> FastAPI:
    """Build the app without a page, whatever the variable says; arguments and errors are those of `create_app`."""
    server = HTTPEnvServer(
        env,
        action_cls,
        observation_cls,
        env_name=env_name,
        state_cls=state_cls,
        reset_observation_cls=reset_observation_cls,
        config=settings(config, max_concurrent_envs, concurrency_config, mode),
    )
    app = _app_for(server)
    server.register_routes(app)
    return app


def create_web_interface_app(
    env: Any, action_cls: type[BaseModel], observation_cls: type[BaseModel], *args: Any, **options: Any
) -> FastAPI:
    """Build the app with the page at `/web`, whatever the variable says; otherwise as `create_app`."""
    config = dataclasses.replace(settings(options.pop("config", None)), web=True)
    return create_app(env, action_cls, observation_cls, *args, config=config, **options)


def _app_for(server: HTTPEnvServer) -> FastAPI:
    return FastAPI(
        title="OpenEnv Environment HTTP API",
        version="1.0.0",
        description=f"The environment {server.name}: sessions over WebSocket at `/ws`, or over HTTP.",
    )
