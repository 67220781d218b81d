"""Where the Gymnasium environments of a server come from: an id, an entry point or a function, and their arguments."""

import importlib
import json
import weakref
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import gymnasium
from gymnasium.error import Error as GymnasiumError
from gymnasium.vector import VectorEnv

from openenv.errors import ConfigurationError

__all__ = ["GymSource", "parse_target"]


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
            or a callable; the latter two return a `gymnasium.Env`.
        kwargs: The arguments of `gymnasium.make`, of the entry point or of the callable.
    """

    def __init__(self, make: str | Callable[..., Any], kwargs: Mapping[str, Any] | None = None) -> None:
        self.make = make
        self.kwargs = dict(kwargs or {})
        self._built: weakref.WeakSet[gymnasium.Env[Any, Any]] = weakref.WeakSet()

    @property
    def name(self) -> str:
        """What to call it: the id, or the callable's name."""
        return self.make if isinstance(self.make, str) else getattr(self.make, "__name__", type(self.make).__name__)

    def build(self) -> gymnasium.Env[Any, Any]:
        """Build an environment. What its own code raises comes through.

        Raises:
            ConfigurationError: Gymnasium cannot make it, or what was made is no new `gymnasium.Env`.
        """
        env = self._made()
        if isinstance(env, VectorEnv):
            env.close()
            raise ConfigurationError(
                f"{self.name} makes a VectorEnv; serve single environments, and let make_vec say how many"
            )
        if not isinstance(env, gymnasium.Env):
            raise ConfigurationError(f"{self.name} makes a {type(env).__name__}, which is no gymnasium.Env")
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
        # Gymnasium's checker looks at the first calls of each environment, which costs every session anew.
        arguments = {"disable_env_checker": True} | self.kwargs
        try:
            return gymnasium.make(make, **arguments)
        except GymnasiumError as error:
            raise ConfigurationError(f"Gymnasium cannot make {make!r}: {error}") from error

    def __getstate__(self) -> dict[str, Any]:
        return {"make": self.make, "kwargs": self.kwargs}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["make"], state["kwargs"])  # type: ignore[misc]  # an object that was unpickled is new


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
