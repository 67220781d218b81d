"""A vector's actions and observations, many at a time: what `_step_payload` and `_parse_result` do one by one.

Where a client's class overrides those, they are asked; else a column is written and validated in one pass.
"""

from collections.abc import Sequence
from functools import cached_property
from types import GenericAlias
from typing import Any

import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError

from openenv.client.base import ClientBase
from openenv.client.conversation import payload_of, state_of
from openenv.client.vector_results import FailedResult
from openenv.env.arrays import says_arrays
from openenv.errors import LocalError, OpenEnvError
from openenv.protocol import BatchReply, Json, Reply, StateIs, exception_for
from openenv.protocol.arrays import to_lists
from openenv.protocol.dialect1 import dump_request
from openenv.types import StepResult

__all__ = ["VectorCodec", "mentions_arrays"]

Result = StepResult[Any]

_BESIDE = ("reward", "done", "metadata", "truncated")


class VectorCodec:
    """Reads and writes for a client, whose class knows the environment's types.

    Args:
        client: The client.
        arrays: Whether NumPy's arrays stay as they are on the way, and are observations' on arrival.
    """

    def __init__(self, client: ClientBase[Any, Any, Any], *, arrays: bool) -> None:
        kind = type(client)
        self._client = client
        self._arrays = arrays
        self._writes_itself = kind._step_payload is not ClientBase._step_payload
        self._reads_itself = kind._parse_result is not ClientBase._parse_result

    def action(self, action: Any) -> Json:
        """Write one action for dialect 1, which has no arrays. Raises LocalError as `_step_payload` does."""
        if not self._arrays:
            payload = self._client._step_payload(action)
            dump_request({"data": payload})  # as in `_written`
            return payload
        try:
            return orjson.Fragment(orjson.dumps(self.actions([action])[0], default=to_lists))
        except TypeError as error:
            raise LocalError(f"this action cannot be sent as JSON: {error.__cause__ or error}") from error

    def actions(self, actions: Sequence[Any]) -> Any:  # a sequence of JSON values, or a fragment that is a list of them
        """Write a column of actions.

        Raises:
            LocalError: One cannot be sent.
        """
        if self._writes_itself or not all(isinstance(action, BaseModel) for action in actions):
            return self._written([self._client._step_payload(action) for action in actions])
        adapter = self._action_lists
        try:
            if self._arrays:
                return adapter.dump_python(actions, warnings=False, serialize_as_any=True)
            return orjson.Fragment(adapter.dump_json(actions, warnings=False, serialize_as_any=True))
        except Exception:  # noqa: BLE001  # whatever a custom serializer raised: one by one says which action it is
            return self._written([self._client._step_payload(action) for action in actions])

    def _written(self, payloads: list[Json]) -> Any:
        """Write payloads that may be anything: one that cannot be sent must be found before any is."""
        if self._arrays:
            return payloads
        try:
            text = orjson.dumps(payloads)
        except TypeError:
            for payload in payloads:
                dump_request({"data": payload})  # raises for the one that is to blame
            return payloads
        return payloads if b"null" in text else orjson.Fragment(text)  # there may be NaN, which has its own way

    def results(self, reply: BatchReply) -> list[Result]:
        """Read the columns of a reply to a reset or a step. What cannot be read is a failure in its own place."""
        if self._reads_itself or reply.errors or not self._reads_plainly(reply.observation):
            return [self._result_at(reply, index) for index in range(len(reply.lanes))]
        rows: Any = reply.observation
        columns = {name: _listed(getattr(reply, name), len(rows)) for name in _BESIDE}
        for name in self._client._codecs.beside:
            for row, value in zip(rows, columns[name], strict=True):
                if value is not None:
                    row[name] = value
        try:
            observations = self._observation_lists.validate_python(rows)
        except ValidationError:
            return [self._result_at(reply, index) for index in range(len(reply.lanes))]
        done, truncated = map(bool, columns["done"]), map(bool, columns["truncated"])
        return list(map(StepResult, observations, columns["reward"], done, columns["metadata"], truncated))

    def result(self, reply: Reply) -> Result:
        """Read one reply to a reset or a step."""
        try:
            return self._client._parse_result(payload_of(reply))
        except OpenEnvError as error:
            return FailedResult(error)

    def states(self, reply: BatchReply) -> list[Any]:
        """Read the column of states."""
        found: list[Any] = []
        for lane, state in zip(reply.lanes, reply.state, strict=True):
            found.append(self.state(reply.errors.get(lane) or StateIs(state)))
        return found

    def state(self, reply: Reply) -> Any:
        """Read one state, or a failure in its place."""
        try:
            return self._client._parse_state(state_of(reply))
        except OpenEnvError as error:
            return FailedResult(error)

    def _result_at(self, reply: BatchReply, index: int) -> Result:
        fault = reply.errors.get(reply.lanes[index])
        if fault is not None:
            return FailedResult(exception_for(fault))
        payload: dict[str, Any] = {
            "observation": reply.observation[index],
            "reward": _plain(reply.reward[index]),
            "done": bool(reply.done[index]),
        }
        if reply.metadata is not None and reply.metadata[index] is not None:
            payload["metadata"] = reply.metadata[index]
        if reply.truncated is not None and reply.truncated[index]:
            payload["truncated"] = True
        try:
            return self._client._parse_result(payload)
        except OpenEnvError as error:
            return FailedResult(error)

    def _reads_plainly(self, rows: Sequence[Json]) -> bool:
        """Tell whether a column of observations may be read in one pass: what is beside them is put into each."""
        return type(rows) is list and set(map(type, rows)) == {dict}

    @cached_property
    def _action_lists(self) -> TypeAdapter[Any]:
        return _list_of(self._client._codecs.kinds[0])

    @cached_property
    def _observation_lists(self) -> TypeAdapter[Any]:
        return _list_of(self._client._codecs.kinds[1])


def _list_of(kind: Any) -> TypeAdapter[Any]:
    made: Any = GenericAlias(list, (kind,))
    return TypeAdapter(made)


def mentions_arrays(client: ClientBase[Any, Any, Any]) -> bool:
    """Tell whether the actions or observations of a client's class have fields for NumPy's arrays."""
    if type(client)._parse_result is not ClientBase._parse_result:
        return False  # the class does not say what it reads
    seen: set[Any] = set()
    return any(_has_arrays(kind, seen) for kind in client._codecs.kinds[:2])


def _has_arrays(kind: Any, seen: set[Any]) -> bool:
    if says_arrays(getattr(kind, "__metadata__", ())):
        return True
    origin = getattr(kind, "__origin__", kind)
    if isinstance(origin, type):
        if origin.__module__.partition(".")[0] == "numpy":
            return True
        if issubclass(origin, BaseModel) and origin not in seen:
            seen.add(origin)
            fields = origin.model_fields.values()
            return any(says_arrays(field.metadata) or _has_arrays(field.annotation, seen) for field in fields)
    return any(_has_arrays(argument, seen) for argument in getattr(kind, "__args__", ()))


def _listed(column: Any, count: int) -> list[Any]:
    """Give a column, which may be an array or left out, as a list."""
    if column is None:
        return [None] * count
    listed: list[Any] = column.tolist() if hasattr(column, "tolist") else column
    return listed


def _plain(reward: Any) -> Any:
    """Give a number of an array, as columns may be, as one of Python."""
    return reward.item() if hasattr(reward, "dtype") else reward
