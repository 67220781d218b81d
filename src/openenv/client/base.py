"""What every client knows without talking: its arguments, its three hooks, and what its type arguments say."""

import dataclasses
import os
from collections.abc import Callable, Mapping
from functools import cached_property
from importlib import import_module
from types import UnionType
from typing import Annotated, Any, ClassVar, Generic, Self, TypeVar, Union, get_args, get_origin

import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError

from openenv.client.endpoint import Endpoint, socket_url
from openenv.errors import ConfigurationError, LocalError, PeerError
from openenv.types import StepResult

__all__ = ["ActT", "ClientBase", "ObsT", "StateT", "type_arguments"]

ActT = TypeVar("ActT")
ObsT = TypeVar("ObsT")
StateT = TypeVar("StateT")

_MODES = ("simulation", "production")
_BESIDE = ("reward", "done", "metadata", "truncated")


class ClientBase(Generic[ActT, ObsT, StateT]):
    """The part of a client that does no I/O.

    Args:
        base_url: Where the server is, such as `http://localhost:8000`; may be left out if there is a `provider`.
        connect_timeout_s: Seconds to wait for a connection; None for ever.
        message_timeout_s: Seconds to wait for a reply when the call does not say; None for ever.
        max_message_size_mb: Largest reply taken, in MiB.
        websocket_ping_interval_s: Seconds of silence after which the server is pinged; None never pings.
        websocket_ping_timeout_s: Seconds a pong may take before the connection counts as lost; None for ever.
        provider: What runs the server, as `openenv.runtimes.providers` has them and other packages may. `close()` stops
            it. Without `base_url` it is started by the first call.
        mode: `simulation`, the default, or `production`; by default what `OPENENV_CLIENT_MODE` says. Here both drive
            the same socket: it is for subclasses that tell them apart.
        headers: Sent with the handshake, such as `{"Authorization": "Bearer ..."}`.

    Raises:
        ConfigurationError: `base_url` is missing or no address, or an argument has a value it cannot have.
    """

    _ws: ClassVar[None] = None
    """Training scripts widen the size limit of the connection they find here, if any; ours is wide already."""

    # What an instance has that was made without __init__, as tests of hooks make them.
    _address: str = ""
    _mode: str = _MODES[0]
    _endpoint: Endpoint = Endpoint(url="")
    _server: Any = None  # an openenv.launch.Server, which is of a higher rank
    _on_close: Callable[[], object] | None = None

    def __new__(cls, *args: Any, **options: Any) -> Self:
        """Begin with no session, also for a subclass whose `__init__` does not call ours."""
        made = super().__new__(cls)
        made._begin()
        return made

    def _begin(self) -> None:
        """Have what is each instance's own, and no copy's."""

    def __init__(
        self,
        base_url: str | None = None,
        connect_timeout_s: float | None = 10.0,
        message_timeout_s: float | None = 60.0,
        max_message_size_mb: float = 100.0,
        websocket_ping_interval_s: float | None = 20.0,
        websocket_ping_timeout_s: float | None = 20.0,
        provider: Any = None,  # any object that can start and stop a server
        mode: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._mode = (mode or os.environ.get("OPENENV_CLIENT_MODE") or _MODES[0]).lower()
        if self._mode not in _MODES:
            raise ConfigurationError(f"mode={self._mode!r} is unknown; it is simulation or production")
        if base_url is None and provider is None:
            raise ConfigurationError("base_url is missing; say where the server is, such as http://localhost:8000")
        self._address = base_url or ""
        self._endpoint = Endpoint(
            url="" if base_url is None else socket_url(base_url),
            headers=dict(headers or {}),
            connect_timeout_s=connect_timeout_s,
            message_timeout_s=message_timeout_s,
            max_message_bytes=int(max_message_size_mb * 1024 * 1024),
            ping_interval_s=websocket_ping_interval_s,
            ping_timeout_s=websocket_ping_timeout_s,
        )
        if provider is not None:
            import_module("openenv.launch").give(self, provider, is_started=base_url is not None)

    @property
    def base_url(self) -> str:
        """Where the server is, as it was given; empty while a provider has not started it."""
        return self._address or (self._server.url if self._server is not None else "")

    @property
    def mode(self) -> str:
        """`simulation` or `production`."""
        return self._mode

    # The names under which subclasses written for OpenEnv read what the client was made with.

    @property
    def _base_url(self) -> str:
        return self.base_url

    @property
    def _ws_url(self) -> str:
        return self._endpoint.url or (socket_url(self.base_url) if self.base_url else "")

    @property
    def _connect_timeout(self) -> float | None:
        return self._endpoint.connect_timeout_s

    @property
    def _message_timeout(self) -> float | None:
        return self._endpoint.message_timeout_s

    def _step_payload(self, action: ActT) -> Any:
        """Give an action, or a mapping of its fields, its JSON form. Override it for a format of your own."""
        if isinstance(action, Mapping):
            return dict(action)  # the server validates it like any other
        encoder = self._codecs.action
        try:
            return orjson.Fragment(encoder.dump_json(action, warnings=False, serialize_as_any=True))
        except Exception as error:  # pydantic lets errors of custom serializers through as they are
            raise LocalError(f"this {type(action).__name__} cannot be sent as JSON: {error}") from error

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[ObsT]:
        """Read `{"observation", "reward", "done"[, "metadata"]}`. Override it for a format of your own."""
        codecs = self._codecs
        data = payload["observation"]
        if isinstance(data, dict) and codecs.beside:
            data = {**data, **{name: payload[name] for name in codecs.beside if payload.get(name) is not None}}
        return self._result(_validated(codecs.observation, data, "observation"), payload)

    @staticmethod
    def _result(observation: ObsT, payload: Mapping[str, Any]) -> StepResult[ObsT]:
        """Put what came beside an observation beside it."""
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
        arguments = type_arguments(getattr(self, "__orig_class__", type(self)))
        if not arguments or any(isinstance(argument, TypeVar) for argument in arguments):
            name = type(self).__name__
            raise ConfigurationError(
                f"{name} does not say what it exchanges: write "
                f"`class {name}(EnvClient[YourAction, YourObservation, YourState])`, or use GenericEnvClient"
            )
        return _codecs_of(*arguments)


def type_arguments(kind: Any) -> tuple[Any, ...]:
    """Give what a client class or alias says for `ClientBase[...]`; a type variable where it says nothing."""
    origin = get_origin(kind) or kind
    if origin is ClientBase:
        return get_args(kind)
    said = dict(zip(getattr(origin, "__parameters__", ()), get_args(kind), strict=False))
    bases = vars(origin).get("__orig_bases__", origin.__bases__)
    parent = next(base for base in bases if issubclass(get_origin(base) or base, ClientBase))
    return tuple(said.get(argument, argument) for argument in type_arguments(parent))


@dataclasses.dataclass(frozen=True)
class _Codecs:
    kinds: tuple[Any, Any, Any]
    action: TypeAdapter[Any]
    observation: TypeAdapter[Any]
    state: TypeAdapter[Any]
    beside: tuple[str, ...]


_known: dict[tuple[Any, Any, Any], _Codecs] = {}


def _codecs_of(action: Any, observation: Any, state: Any) -> _Codecs:
    key = (action, observation, state)
    if key not in _known:
        fields = _fields_of(observation)
        beside = tuple(name for name in _BESIDE if name in fields)
        _known[key] = _Codecs(key, TypeAdapter(action), TypeAdapter(observation), TypeAdapter(state), beside)
    return _known[key]


def _fields_of(kind: Any) -> frozenset[str]:
    """Name the fields of a model, or those that all members of a union have."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return frozenset(kind.model_fields)
    if get_origin(kind) is Annotated:
        return _fields_of(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return frozenset.intersection(*(_fields_of(member) for member in get_args(kind)))
    return frozenset()


def _validated(adapter: TypeAdapter[Any], data: Any, what: str) -> Any:
    try:
        return adapter.validate_python(data)
    except ValidationError as error:
        raise PeerError(f"the server's {what} does not fit the client's types: {error}") from error
