"""One environment behind one uniform face: requests in, encoded observations out, every failure a typed fault.

This is the boundary to code that is not ours. Whatever it raises is logged here with its traceback and leaves as
`EnvironmentFailed`; the session lives on. Where a call runs (loop or thread) is the server's business.
"""

import asyncio
import functools
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from openenv.env.arrays import arranged, array_fields
from openenv.env.encoding import (
    EncodedObservation,
    encode_actions,
    encode_observation,
    encode_reply,
    encode_state,
)
from openenv.env.interface import Environment, EnvironmentMetadata, describe
from openenv.env.mcp.types import CallToolAction, action_class_for
from openenv.env.snapshots import pack, unpack
from openenv.env.spec import EnvironmentSpec, Method, Snapshots
from openenv.errors import (
    BadAction,
    BadObservation,
    BadSnapshot,
    EnvironmentFailed,
    NotSupported,
    RemoteFault,
    SnapshotRefused,
)

__all__ = ["EnvironmentAdapter", "parse_action", "parse_reset"]

logger = logging.getLogger(__name__)

EncodedT = TypeVar("EncodedT", covariant=True)

_MAX_EPISODE_ID = 255

# What code that is not ours may raise without stopping the server.
_RAISED = (Exception, SystemExit, asyncio.CancelledError)

_MODEL_VALIDATE = vars(BaseModel)["model_validate"].__func__


class _Encode(Protocol[EncodedT]):
    def __call__(self, value: object, /, *, source: str) -> EncodedT: ...


class EnvironmentAdapter:
    """Calls one environment as its spec says."""

    def __init__(self, environment: Environment[Any, Any, Any], spec: EnvironmentSpec) -> None:
        self.environment = environment
        self.spec = spec
        self._is_shown = spec.has_view
        self._latest: object = None  # kept only for classes that are asked to show it

    def reset(
        self, options: Mapping[str, Any], *, raw: bool = False
    ) -> EncodedObservation | Awaitable[EncodedObservation]:
        """Reset with the options the class takes; awaitable when `spec.reset.is_async`.

        Args:
            options: The arguments of the environment's own `reset`.
            raw: Whether arrays of the observation are to lie beside its JSON.

        Raises:
            EnvironmentFailed: It raised.
            BadObservation: What it returned cannot be sent.
        """
        return self._call(self.spec.reset, (), options, self._observed_raw if raw else self._observed)

    def step(
        self, action: Any, options: Mapping[str, Any], *, raw: bool = False
    ) -> EncodedObservation | Awaitable[EncodedObservation]:
        """Step with a validated action; awaitable when `spec.step.is_async`. Otherwise as `reset`."""
        return self._call(self.spec.step, (action,), options, self._observed_raw if raw else self._observed)

    def state(self) -> bytes:
        """Read the state as JSON text. Raises as `reset` does."""
        source = f"{self.spec.name}.state"
        try:
            state = self._read_state()
        except _raised() as error:
            raise _failed(error, source) from error
        return encode_state(state, source=source)

    @property
    def can_show(self) -> bool:
        """Whether there is an observation to show, in a way of the class's own."""
        return self._latest is not None

    def render_web(self) -> str | Awaitable[str | None] | None:
        """Have the latest observation shown as HTML; None when the class has no way to. Raises as `reset` does."""
        method = self.spec.render_web
        if method is None:
            return None
        return self._call(method, (self._latest,), {}, _html)

    def web_actions(self) -> bytes | Awaitable[bytes]:
        """Ask for the actions to offer after the latest observation, as JSON text. Raises as `reset` does."""
        method = self.spec.web_actions
        if method is None:
            return b"[]"
        return self._call(method, (self._latest,), {}, encode_actions)

    def json_rpc(self, request: Mapping[str, Any]) -> bytes | Awaitable[bytes | None] | None:
        """Have a JSON-RPC request answered, by a class that can; JSON text, or None. Raises as `reset` does."""
        assert self.spec.handle_json_rpc is not None  # the caller asked the spec
        return self._call(self.spec.handle_json_rpc, (dict(request),), {}, encode_reply)

    def snapshot(self) -> bytes | Awaitable[bytes]:
        """Have the state saved; awaitable when its method is async.

        Raises:
            NotSupported: The class, or this instance, cannot be saved.
            EnvironmentFailed: It raised, or gave no bytes.
        """
        return self._call(self._snapshots().snapshot, (), {}, self._packed)

    def restore(self, snapshot: bytes) -> Awaitable[None] | None:
        """Have a state taken over; awaitable when its method is async. There is nothing to show then.

        Raises:
            NotSupported: The class cannot be restored.
            BadSnapshot: It is of another class or version, or the environment refuses it; nothing has changed.
            EnvironmentFailed: It raised, and its state is unknown now.
        """
        snapshots = self._snapshots()
        data = unpack(snapshots.format, snapshot)
        return self._call(snapshots.restore, (data,), {}, self._restored)

    def metadata(self) -> EnvironmentMetadata:
        """Ask the environment to describe itself; if that fails it is logged and the class describes it."""
        if self.spec.describes_itself:
            try:
                described: object = self.environment.get_metadata()
                if isinstance(described, EnvironmentMetadata):
                    return described
                logger.error("%s.get_metadata returned %s", self.spec.name, type(described).__name__)
            except _raised():  # a description is not worth failing for
                logger.exception("%s.get_metadata failed", self.spec.name)
        return describe(self.spec.environment_class)

    def close(self) -> Awaitable[Any] | None:
        """Close the environment, and never raise; an awaitable to await when its `close` is async."""
        if not hasattr(self.environment, "close"):  # a class that is not derived from ours need not have one
            return None
        try:
            closing = self.environment.close()
        except _raised():  # at a point where nobody can act on it
            logger.exception("%s.close failed", self.spec.name)
            return None
        return self._closed(closing) if isinstance(closing, Awaitable) else None

    def _read_state(self) -> Any:
        state = self.environment.state
        return state() if callable(state) else state

    async def _closed(self, closing: Awaitable[Any]) -> None:
        try:
            await closing
        except _raised() as error:
            if _is_cancelling(error):
                raise
            logger.exception("%s.close failed", self.spec.name)

    def _observed_raw(self, value: object, *, source: str) -> EncodedObservation:
        return self._observed(value, source=source, raw=True)

    def _snapshots(self) -> Snapshots:
        if self.spec.snapshots is None:
            name = self.spec.name
            raise NotSupported(
                "NOT_SUPPORTED",
                f"{name} cannot be saved or restored; set {name}.SNAPSHOT_BY_PICKLE = True if its attributes, pickled, "
                "are its whole state, or override both snapshot and restore",
            )
        return self.spec.snapshots

    def _packed(self, value: object, *, source: str) -> bytes:
        if not isinstance(value, bytes):
            sentence = f"{source} returned {type(value).__name__} instead of bytes"
            raise EnvironmentFailed("EXECUTION_ERROR", sentence, {"exception": "TypeError"})
        return pack(self._snapshots().format, value)

    def _restored(self, value: object, *, source: str) -> None:
        self._latest = None

    def _observed(self, value: object, *, source: str, raw: bool = False) -> EncodedObservation:
        encoded = encode_observation(value, source=source, raw=raw)
        if self._is_shown:
            self._latest = value
        return encoded

    def _call(
        self, method: Method, arguments: tuple[Any, ...], options: Mapping[str, Any], encode: _Encode[EncodedT]
    ) -> EncodedT | Awaitable[EncodedT]:
        call = getattr(self.environment, method.name)
        kept = method.filter(options) if options else options
        if method.is_async:
            return _call_async(call, arguments, kept, method.source, encode)
        try:
            value = call(*arguments, **kept)
        except _raised() as error:
            raise _failed(error, method.source) from error
        return encode(value, source=method.source)


async def _call_async(
    call: Callable[..., Awaitable[Any]],
    arguments: tuple[Any, ...],
    options: Mapping[str, Any],
    source: str,
    encode: _Encode[EncodedT],
) -> EncodedT:
    try:
        value = await call(*arguments, **options)
    except _raised() as error:
        if _is_cancelling(error):
            raise
        raise _failed(error, source) from error
    return encode(value, source=source)


def _html(value: object, *, source: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise BadObservation("OBSERVATION_ERROR", f"{source} returned {type(value).__name__} instead of HTML or None")
    return value


def _is_cancelling(error: BaseException) -> bool:
    """Tell whether the server gave this call up, rather than something inside the environment being cancelled."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def _raised() -> tuple[type[BaseException], ...]:
    """Name what counts as raised by an environment: in a thread also what Ctrl-C raises, but only in the main one."""
    if threading.current_thread() is threading.main_thread():
        return _RAISED
    return (*_RAISED, KeyboardInterrupt)


def _failed(error: BaseException, source: str) -> RemoteFault:
    if isinstance(error, SnapshotRefused):
        return _refused(error, source)
    logger.error("%s raised %s", source, type(error).__name__, exc_info=error)
    return EnvironmentFailed("EXECUTION_ERROR", str(error), {"exception": type(error).__name__})


def _refused(error: SnapshotRefused, source: str) -> RemoteFault:
    """Blame the bytes for what cannot be restored, and the environment for what cannot be saved."""
    if source.endswith((".restore", ".restore_async")):
        return BadSnapshot("BAD_SNAPSHOT", str(error))
    return NotSupported("NOT_SUPPORTED", str(error))


def parse_action(action_class: type[BaseModel], payload: Any) -> BaseModel:
    """Validate an action as the wire sent it.

    Raises:
        BadAction: It does not fit; `errors` names each field. Also when a validator of the class blows up.
    """
    try:
        if type(payload) is not dict:
            payload = arranged(action_class, payload)
        return _validator_of(action_class)(payload)
    except ValidationError as error:
        raise _invalid(_readable(error)) from error
    except _raised() as error:  # a validator of the environment's that raised something of its own
        logger.exception("a validator of %s raised", action_class.__name__)
        sentence = f"{type(error).__name__} in a validator: {error}"
        raise _invalid([{"type": "validator_error", "loc": [], "msg": sentence}]) from error


def parse_reset(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Check the two reset arguments that have a meaning everywhere: `seed` and `episode_id`.

    Raises:
        BadAction: One of them does not fit; `errors` names it.
    """
    seed, episode_id = options.get("seed"), options.get("episode_id")
    if seed is not None and (isinstance(seed, bool) or not isinstance(seed, int) or seed < 0):
        raise _invalid([{"type": "int_type", "loc": ["seed"], "msg": "Input should be an integer of 0 or more"}])
    if episode_id is not None and not (isinstance(episode_id, str) and len(episode_id) <= _MAX_EPISODE_ID):
        sentence = f"Input should be a string of at most {_MAX_EPISODE_ID} characters"
        raise _invalid([{"type": "string_type", "loc": ["episode_id"], "msg": sentence}])
    return options


@functools.cache
def _validator_of(action_class: type[BaseModel]) -> Callable[[Any], BaseModel]:
    """Find what `model_validate` comes down to, in half its time; unless a class has its own, or is not whole yet."""
    if action_class_for({"type": "call_tool"}, action_class) is not action_class or action_class is CallToolAction:
        return lambda payload: action_class_for(payload, action_class).model_validate(payload)
    if array_fields(action_class):
        return lambda payload: action_class.model_validate(arranged(action_class, payload))
    is_usual = getattr(action_class.model_validate, "__func__", None) is _MODEL_VALIDATE
    if not is_usual or not action_class.__pydantic_complete__:
        return action_class.model_validate
    return action_class.__pydantic_validator__.validate_python


def _readable(error: ValidationError) -> list[dict[str, Any]]:
    """List what is wrong without the input, which may be large or secret, and without what JSON cannot carry."""
    listed = error.errors(include_url=False, include_context=False, include_input=False)
    return [{"type": e["type"], "loc": list(e["loc"]), "msg": e["msg"]} for e in listed]


def _invalid(errors: list[dict[str, Any]]) -> BadAction:
    return BadAction("VALIDATION_ERROR", "Invalid message", {"errors": errors})
