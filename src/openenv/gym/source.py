"""Where the Gymnasium environments of a server come from: an id, an entry point or a function, and their arguments.

What they give may be a single environment or a vector. An id gives a vector if one of its arguments is `num_envs`.
"""

import importlib
import json
import weakref
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import gymnasium
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import Error as GymnasiumError
from gymnasium.vector import VectorEnv

from openenv.errors import ConfigurationError
from openenv.gym.models import AnyEnv

__all__ = ["GymSource", "parse_target"]

# Gymnasium's checker looks at the first calls of each environment, which costs every session anew.
_QUIET: dict[str, Any] = {"disable_env_checker": True}
_CUSTOM = (None, "vector_entry_point")


def parse_target(target: str) -> tuple[str, dict[str, Any]]:
    """Read `ID?name=value&...`, values being JSON where they are that and text where not.

    `FrozenLake-v1?is_slippery=false&map_name=8x8` gives the arguments `False` and `"8x8"`.

    Raises:
        ConfigurationError: There is no id, an argument has no `=`, or one is given twice.
    """
    make, _, query = target.partition("?")
    if not make:
        raise ConfigurationError(f"{target!r} names no environment; write it like CartPole-v1 or my_module:MyEnv-v0")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
    except ValueError as error:
        raise ConfigurationError(f"{target!r}: write its arguments as name=value, joined by & ({error})") from error
    kwargs: dict[str, Any] = {}
    for name, text in pairs:
        if name in kwargs:
            raise ConfigurationError(f"{target!r} gives the argument {name!r} twice")
        kwargs[name] = _value(text)
    return make, kwargs


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


class GymSource:
    """Builds environments, each one new. It can be sent to another process when what it was made from can.

    Args:
        make: An id that Gymnasium knows (`CartPole-v1`, `my_module:MyEnv-v0`), an entry point (`my_module:make_env`),
            or a callable; the latter two return a `gymnasium.Env` or a `gymnasium.vector.VectorEnv`.
        kwargs: The arguments of `gymnasium.make`, or with `num_envs` of `gymnasium.make_vec`; of the entry point; or of
            the callable.
    """

    def __init__(self, make: str | Callable[..., Any], kwargs: Mapping[str, Any] | None = None) -> None:
        self.make = make
        self.kwargs = dict(kwargs or {})
        self._built: weakref.WeakSet[AnyEnv] = weakref.WeakSet()

    @property
    def name(self) -> str:
        """What to call it: the id, or the callable's name."""
        return self.make if isinstance(self.make, str) else getattr(self.make, "__name__", type(self.make).__name__)

    def build(self) -> AnyEnv:
        """Build an environment or a vector. What its own code raises comes through.

        Raises:
            ConfigurationError: Gymnasium cannot make it, or what was made is no new environment.
        """
        env = self._made()
        if not isinstance(env, gymnasium.Env | VectorEnv):
            raise ConfigurationError(
                f"{self.name} makes a {type(env).__name__}, which is no gymnasium.Env and no gymnasium.vector.VectorEnv"
            )
        if env in self._built:
            raise ConfigurationError(f"{self.name} gave the same environment twice; each session needs one of its own")
        self._built.add(env)
        return env

    def _made(self) -> Any:
        make = self.make
        if not isinstance(make, str):
            return make(**self.kwargs)
        entry = _entry_point(make)
        if entry is not None:
            return entry(**self.kwargs)
        try:
            if "num_envs" in self.kwargs:
                return _vector(make, self.kwargs)
            return gymnasium.make(make, **_QUIET | self.kwargs)
        except GymnasiumError as error:
            raise ConfigurationError(f"Gymnasium cannot make {make!r}: {error}{self._hint()}") from error

    def _hint(self) -> str:
        spec = _registered(str(self.make))
        if spec is None or spec.entry_point is not None or "num_envs" in self.kwargs:
            return ""
        return f" (it is registered as a vector only: say of how many environments, like {self.make}?num_envs=8)"

    def __getstate__(self) -> dict[str, Any]:
        return {"make": self.make, "kwargs": self.kwargs}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["make"], state["kwargs"])  # type: ignore[misc]  # an object that was unpickled is new


def _vector(name: str, kwargs: Mapping[str, Any]) -> VectorEnv[Any, Any, Any]:
    count = kwargs["num_envs"]
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ConfigurationError(f"num_envs={count!r}: must be a number of 1 or more")
    spec = _registered(name)
    has_own = spec is None or spec.vector_entry_point is not None  # an id without its version is not looked up here
    is_custom = has_own and kwargs.get("vectorization_mode") in _CUSTOM
    return gymnasium.make_vec(name, **({} if is_custom else _QUIET) | dict(kwargs))


def _registered(name: str) -> EnvSpec | None:
    return gymnasium.registry.get(name.rpartition(":")[2])


def _entry_point(target: str) -> Callable[..., Any] | None:
    """Find what `module:attribute` names; None when it is an id, be it that the module registers it."""
    module, colon, attribute = target.partition(":")
    if not colon:
        return None
    try:
        found = getattr(importlib.import_module(module), attribute, None)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            raise ConfigurationError(f"{target!r}: there is no module {error.name!r}; is it installed?") from error
        raise
    return found if callable(found) else None
