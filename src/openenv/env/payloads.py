"""Observations and actions as plain dictionaries, for those who serve an environment by routes of their own."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from pydantic import BaseModel

from openenv.env.mcp.types import CallToolAction, action_class_for

__all__ = ["deserialize_action", "deserialize_action_with_preprocessing", "serialize_observation"]

_BESIDE = frozenset({"reward", "done", "truncated"})


def serialize_observation(observation: BaseModel) -> dict[str, Any]:
    """Give what a reply carries: the observation, and beside it its reward, whether it is the last, and its extras.

    `metadata` is there when there is any, and `truncated` when it is so.
    """
    beside = {name: getattr(observation, name, None) for name in ("reward", "done", "metadata", "truncated")}
    return {
        "observation": observation.model_dump(exclude=set(_BESIDE)),
        "reward": beside["reward"],
        "done": bool(beside["done"]),
        **{name: beside[name] for name in ("metadata", "truncated") if beside[name]},
    }


def deserialize_action(action_data: Mapping[str, Any], action_cls: type[BaseModel]) -> BaseModel:
    """Make an action of a dictionary.

    One whose `type` is `list_tools` or `call_tool` becomes that action where `action_cls` is `Action` itself, or one of
    the two; an environment's own class is left to judge its own types.

    Raises:
        pydantic.ValidationError: It does not fit.
    """
    return action_class_for(action_data, action_cls).model_validate(dict(action_data))


def deserialize_action_with_preprocessing(action_data: Mapping[str, Any], action_cls: type[BaseModel]) -> BaseModel:
    """Make an action of what came from a form, where a number, a list or an object may have been written as text.

    `tokens` becomes a tensor where torch is installed, `action_id` an int, and the `arguments` of a tool call what
    their JSON says; text that says no such thing is left as it is, for the class to refuse.

    Raises:
        pydantic.ValidationError: It does not fit.
    """
    chosen = action_class_for(action_data, action_cls)
    readings = {"arguments": _object} if chosen is CallToolAction else _READINGS
    return chosen.model_validate(
        {name: readings[name](value) if name in readings else value for name, value in action_data.items()}
    )


def _object(value: Any) -> Any:
    if isinstance(value, str):
        with suppress(ValueError):
            return json.loads(value) if value.strip() else {}
    return value


def _whole_number(value: Any) -> Any:
    if isinstance(value, str):
        with suppress(ValueError):
            return int(value)
    return value


def _tensor(value: Any) -> Any:
    numbers = _object(value)
    if not isinstance(numbers, list):
        return value
    try:
        import torch  # type: ignore[import-not-found,unused-ignore]  # large, and rarely there
    except ModuleNotFoundError:
        return numbers
    return torch.tensor(numbers, dtype=torch.long)


_READINGS: Mapping[str, Callable[[Any], Any]] = {"tokens": _tensor, "action_id": _whole_number}
