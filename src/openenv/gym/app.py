"""`create_app_from_gym`: the ASGI app that serves a Gymnasium environment."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from gymnasium.vector import VectorEnv

from openenv.errors import ConfigurationError
from openenv.gym.environment import GymEnvironment, environment_class, is_quick
from openenv.gym.models import AnyEnv, models_of
from openenv.gym.saving import can_save
from openenv.gym.source import GymSource
from openenv.gym.vector_environment import GymVectorEnvironment, QuickGymVectorEnvironment
from openenv.server import ServerConfig, create_app

__all__ = ["create_app_from_gym"]


def create_app_from_gym(
    make: str | Callable[..., Any],
    kwargs: Mapping[str, Any] | None = None,
    *,
    num_envs: int | None = None,
    env_name: str | None = None,
    max_concurrent_envs: int | None = None,
    blocking: bool | None = None,
    config: ServerConfig | None = None,
) -> Any:  # a FastAPI, which only the server's room knows
    """Build the ASGI app that serves a Gymnasium environment, or a vector of them, one of its own to each session.

    One environment is built, looked at and closed first.

    Args:
        make: An id that Gymnasium knows (`CartPole-v1`, `my_module:MyEnv-v0`), an entry point (`my_module:make_env`),
            or a callable; the latter two return a new `gymnasium.Env` or `gymnasium.vector.VectorEnv` at each call.
        kwargs: The arguments of `gymnasium.make`, of the entry point or of the callable, such as `render_mode`.
        num_envs: Serve a vector of that many environments: an argument of the entry point or of the callable, and for
            an id one of `gymnasium.make_vec`, as `kwargs` are then.
        env_name: The name under `/metadata`; the id, or the callable's name, when None.
        max_concurrent_envs: Sessions at once; 64 when None.
        blocking: Whether calls may take longer than some microseconds, so that each session gets a thread. None says
            no for Gymnasium's classic control and toy text without rendering, and yes for everything else.
        config: All settings of the server at once.

    Raises:
        ConfigurationError: Gymnasium cannot make it, it is no new environment, no vector of `num_envs`, or its spaces
            cannot be sent.
    """
    source = GymSource(make, {**(kwargs or {}), **({} if num_envs is None else {"num_envs": num_envs})})
    env = source.build()
    try:
        models = models_of(env)
        found = env.num_envs if isinstance(env, VectorEnv) else None
        if num_envs not in (None, found):
            made = "a single environment" if found is None else f"a vector of {found}"
            raise ConfigurationError(f"{source.name} makes {made}, and num_envs={num_envs} was asked for")
        environment = _class_for(env, blocking)
    finally:
        env.close()
    return create_app(
        functools.partial(environment, source),
        models.action,
        models.observation,
        env_name=env_name or source.name,
        max_concurrent_envs=max_concurrent_envs,
        config=config,
    )


def _class_for(env: AnyEnv, blocking: bool | None) -> type[GymEnvironment]:
    quick = is_quick(env) if blocking is None else not blocking
    if isinstance(env, VectorEnv):
        return QuickGymVectorEnvironment if quick else GymVectorEnvironment
    return environment_class(quick=quick, savable=can_save(env))
