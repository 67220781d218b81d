"""A client for any environment, with dicts in place of types."""

import dataclasses
from collections.abc import Generator, Mapping
from typing import Any, Self

from pydantic import BaseModel

from openenv.client.sync import EnvClient
from openenv.errors import LocalError
from openenv.types import StepResult

__all__ = ["GenericAction", "GenericEnvClient"]


class GenericAction(dict[str, Any]):
    """An action as a dict, written like a call: `GenericAction(message="hi")`."""


class _State(dict[str, Any]):
    """A state as a dict; awaiting it gives itself."""

    def __await__(self) -> Generator[Any, None, Self]:
        yield from ()
        return self


class GenericEnvClient(EnvClient[Any, dict[str, Any], dict[str, Any]]):
    """Drives an environment whose classes are not installed: actions are mappings, observations and states are dicts.

    A pydantic model, a dataclass or any object with attributes will do as an action, too.
    """

    def _step_payload(self, action: Any) -> Any:
        if isinstance(action, Mapping):
            return dict(action)
        if isinstance(action, BaseModel):
            return action.model_dump(mode="json")
        if dataclasses.is_dataclass(action) and not isinstance(action, type):
            return dataclasses.asdict(action)
        if hasattr(action, "__dict__") and not isinstance(action, type):
            return dict(vars(action))
        raise LocalError(f"an action must be a mapping, a model or an object, not {type(action).__name__}")

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[dict[str, Any]]:
        return self._result(payload["observation"], payload)

    def _parse_state(self, payload: dict[str, Any]) -> dict[str, Any]:
        return _State(payload)
