"""An environment in this process as a subject of the rules: no server, no socket.

Calls go through the adapter that a server uses, so that what would be refused on its way to a client is refused here.
"""

import asyncio
import functools
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, get_args

import orjson
from pydantic import BaseModel

from openenv.env import EncodedObservation, EnvironmentAdapter, EnvironmentSource, parse_action, parse_reset
from openenv.errors import ConfigurationError, RemoteFault
from openenv.protocol import GetState, Reset, Step
from openenv.server.schema import Schemas as ServedSchemas
from openenv.testing.exchange import Answer, Session, Subject
from openenv.testing.schema import Schema

__all__ = ["LocalSession", "LocalSubject"]

_MANY = 3


class LocalSession(Session):
    """One environment, built, called and closed here."""

    def __init__(self, source: EnvironmentSource, action_class: type[BaseModel]) -> None:
        self._environment = source.build()
        assert source.spec is not None  # build() has learned it
        self._adapter = EnvironmentAdapter(self._environment, source.spec)
        self._action_class = action_class
        self._loop = asyncio.Runner()
        self._keep = source.is_instance
        self._closed = False

    def ask(self, request: Reset | Step | GetState) -> Answer:
        """Call the environment, and say its answer as a server would."""
        try:
            match request:
                case Reset():
                    return _observation(self._done(self._adapter.reset(parse_reset(request.options))))
                case Step():
                    action = parse_action(self._action_class, request.action)
                    return _observation(self._done(self._adapter.step(action, request.options)))
                case GetState():
                    return Answer("state", orjson.loads(self._adapter.state()))
        except RemoteFault as fault:
            return Answer("error", {"code": fault.code, "message": fault.message, **fault.details})

    def close(self) -> None:
        """Close the environment; what it raises is kept in `close_problem`, where a server would only log it."""
        if self._closed:
            return
        self._closed = True
        try:
            if not self._keep:
                self._done(getattr(self._environment, "close", _nothing)())
        except (Exception, SystemExit) as error:  # noqa: BLE001  # the environment's code, and it is told
            self.close_problem = f"close() raised {type(error).__name__}: {error}"
        finally:
            self._loop.close()

    def _done(self, value: Any) -> Any:
        return self._loop.run(_awaited(value)) if isinstance(value, Awaitable) else value


class LocalSubject(Subject):
    """An environment given by its class, a factory or an instance.

    Raises:
        ConfigurationError: It is no environment.
    """

    def __init__(
        self,
        environment: Any,
        action_class: type[BaseModel],
        observation_class: type[BaseModel] | None,
        actions: Sequence[Mapping[str, Any]] | None,
        reset_observation_class: type[BaseModel] | None = None,
    ) -> None:
        self._source = EnvironmentSource(environment)
        self._action_class = action_class
        self._observation_class = observation_class
        self._reset_observation_class = reset_observation_class
        self.given_actions = actions

    @functools.cached_property
    def schemas(self) -> Mapping[str, Schema]:
        """What a server would answer at `/schema`."""
        spec = self._source.spec
        if spec is None:
            with self.open():
                spec = self._source.spec
        assert spec is not None  # open() has learned it
        observation = self._observation_class or _observation_class(spec.environment_class)
        known = spec
        first = self._reset_observation_class
        found = ServedSchemas(self._action_class, observation, lambda: known, reset_observation_class=first)
        schemas = {"action": found.action, "observation": found.observation, "state": found.state}
        return schemas if found.reset_observation is None else {**schemas, "reset_observation": found.reset_observation}

    def read_schemas(self) -> None:
        """Find out now whether there are any.

        Raises:
            ConfigurationError: The environment does not say what it observes.
            FactoryFailed: It cannot be built.
        """
        _ = self.schemas

    def open(self) -> LocalSession:
        """Build another environment."""
        return LocalSession(self._source, self._action_class)

    def room(self, wanted: int) -> int:
        """Several, if the class promises that; an instance is one."""
        spec = self._source.spec
        concurrent = spec is not None and spec.is_concurrent and not self._source.is_instance
        return wanted if concurrent else 1

    @property
    def many(self) -> int:
        """A few: there is no limit here that they could run into."""
        return _MANY


def _observation(encoded: EncodedObservation) -> Answer:
    data = {"observation": orjson.loads(encoded.observation), "reward": encoded.reward, "done": encoded.done}
    if encoded.metadata is not None:
        data["metadata"] = orjson.loads(encoded.metadata)
    return Answer("observation", {**data, "truncated": True} if encoded.truncated else data)


def _observation_class(environment_class: type) -> type[BaseModel]:
    """Find the second type argument of `Environment[Action, Observation, State]`."""
    for base in environment_class.__mro__:
        for generic in vars(base).get("__orig_bases__", ()):
            arguments = get_args(generic)
            if len(arguments) > 1 and isinstance(arguments[1], type) and issubclass(arguments[1], BaseModel):
                return arguments[1]
    raise ConfigurationError(
        f"{environment_class.__name__} does not say what it observes: derive it from "
        "Environment[YourAction, YourObservation, State], or give observation_class"
    )


async def _awaited(value: Awaitable[Any]) -> Any:
    return await value


def _nothing() -> None:
    """What closing an environment without `close` comes to."""
