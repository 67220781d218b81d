"""What every client knows without talking: its arguments, its three hooks, and what its type arguments say."""

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar, Generic, TypeVar, get_args, get_origin

import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError

from openenv.client.endpoint import Endpoint, socket_url
from openenv.errors import ConfigurationError, LocalError, PeerError
from openenv.types import StepResult

__all__ = ["ActT", "ClientBase", "ObsT", "StateT"]

ActT = TypeVar("ActT")
ObsT = TypeVar("ObsT")
StateT = TypeVar("StateT")

_BESIDE = ("reward", "done", "metadata", "truncated")


class ClientBase(Generic[ActT, ObsT, StateT]):
    """The part of a client that does no I/O.

    Args:
        base_url: Where the server is, such as `http://localhost:8000`.
        connect_timeout_s: Seconds to wait for a connection; None for ever.
        message_timeout_s: Seconds to wait for a reply when the call does not say; None for ever.
        max_message_size_mb: Largest reply taken, in MiB.
        websocket_ping_interval_s: Seconds of silence after which the server is pinged; None never pings.
        websocket_ping_timeout_s: Seconds a pong may take before the connection counts as lost; None for ever.
        headers: Sent with the handshake, such as `{"Authorization": "Bearer ..."}`.

    Raises:
        ConfigurationError: `base_url` is missing or no address.
    """

    _type_arguments: ClassVar[tuple[Any, ...]] = ()

    def __init__(
        self,
        base_url: str | None = None,
        connect_timeout_s: float | None = 10.0,
        message_timeout_s: float | None = 60.0,
        max_message_size_mb: float = 100.0,
        websocket_ping_interval_s: float | None = 20.0,
        websocket_ping_timeout_s: float | None = 20.0,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if base_url is None:
            raise ConfigurationError("base_url is missing; say where the server is, such as http://localhost:8000")
        self._base_url = base_url
        self._endpoint = Endpoint(
            url=socket_url(base_url),
            headers=dict(headers or {}),
            connect_timeout_s=connect_timeout_s,
            message_timeout_s=message_timeout_s,
            max_message_bytes=int(max_message_size_mb * 1024 * 1024),
            ping_interval_s=websocket_ping_interval_s,
            ping_timeout_s=websocket_ping_timeout_s,
        )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Note what the type arguments of a subclass are, once."""
        super().__init_subclass__(**kwargs)
        for base in vars(cls).get("__orig_bases__", ()):
            origin = get_origin(base)
            arguments = get_args(base)
            concrete = arguments and not any(isinstance(argument, TypeVar) for argument in arguments)
            if isinstance(origin, type) and issubclass(origin, ClientBase) and concrete:
                cls._type_arguments = arguments

    @property
    def base_url(self) -> str:
        """Where the server is, as it was given."""
        return self._base_url

    def _step_payload(self, action: ActT) -> Any:
        """Give an action, or a mapping of its fields, its JSON form. Override it for a format of your own."""
        if isinstance(action, Mapping):
            return dict(action)  # the server validates it like any other
        try:
            return orjson.Fragment(self._codecs.action.dump_json(action, warnings=False))
        except Exception as error:  # pydantic lets errors of custom serializers through as they are
            raise LocalError(f"this {type(action).__name__} cannot be sent as JSON: {error}") from error

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[ObsT]:
        """Read `{"observation", "reward", "done"[, "metadata"]}`. Override it for a format of your own."""
        codecs = self._codecs
        data = payload["observation"]
        if isinstance(data, dict) and codecs.beside:
            data = {**data, **{name: payload[name] for name in codecs.beside if payload.get(name) is not None}}
        observation: ObsT = _validated(codecs.observation, data, "observation")
        return StepResult(
            observation,
            payload.get("reward"),
            bool(payload.get("done", False)),
            payload.get("metadata"),
            bool(payload.get("truncated", False)),
        )

    def _parse_state(self, payload: dict[str, Any]) -> StateT:
        """Read a state. Override it for a format of your own."""
        state: StateT = _validated(self._codecs.state, payload, "state")
        return state

    @cached_property
    def _codecs(self) -> "_Codecs":
        # EnvClient[A, O, S](url) without a subclass leaves its arguments on the instance.
        arguments = get_args(getattr(self, "__orig_class__", None)) or self._type_arguments
        if len(arguments) != 3:
            name = type(self).__name__
            raise ConfigurationError(
                f"{name} does not say what it exchanges: write "
                f"`class {name}(EnvClient[YourAction, YourObservation, YourState])`, or use GenericEnvClient"
            )
        return _codecs_of(*arguments)


@dataclasses.dataclass(frozen=True)
class _Codecs:
    action: TypeAdapter[Any]
    observation: TypeAdapter[Any]
    state: TypeAdapter[Any]
    beside: tuple[str, ...]


_known: dict[tuple[Any, ...], _Codecs] = {}


def _codecs_of(action: Any, observation: Any, state: Any) -> _Codecs:
    key = (action, observation, state)
    if key not in _known:
        fields = (
            observation.model_fields if isinstance(observation, type) and issubclass(observation, BaseModel) else ()
        )
        beside = tuple(name for name in _BESIDE if name in fields)
        _known[key] = _Codecs(TypeAdapter(action), TypeAdapter(observation), TypeAdapter(state), beside)
    return _known[key]


def _validated(adapter: TypeAdapter[Any], data: Any, what: str) -> Any:
    try:
        return adapter.validate_python(data)
    except ValidationError as error:
        raise PeerError(f"the server's {what} does not fit the client's types: {error}") from error
