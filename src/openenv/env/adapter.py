"""One environment behind one uniform face: requests in, encoded observations out, every failure a typed fault.

This is the boundary to code that is not ours. Whatever it raises is logged here with its traceback and leaves as
`EnvironmentFailed`; the session lives on. Where a call runs (loop or thread) is the server's business.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from openenv.env.encoding import EncodedObservation, encode_observation, encode_state
from openenv.env.interface import Environment, EnvironmentMetadata, describe
from openenv.env.spec import EnvironmentSpec, Method
from openenv.errors import BadAction, EnvironmentFailed

__all__ = ["EnvironmentAdapter", "parse_action", "parse_reset"]

logger = logging.getLogger(__name__)

_MAX_EPISODE_ID = 255

# What code that is not ours may raise without stopping the server.
_RAISED = (Exception, SystemExit, asyncio.CancelledError)


class EnvironmentAdapter:
    """Calls one environment as its spec says."""

    def __init__(self, environment: Environment[Any, Any, Any], spec: EnvironmentSpec) -> None:
        self.environment = environment
        self.spec = spec

    def reset(self, options: Mapping[str, Any]) -> EncodedObservation | Awaitable[EncodedObservation]:
        """Reset with the options the class takes; awaitable when `spec.reset.is_async`.

        Raises:
            EnvironmentFailed: It raised.
            BadObservation: What it returned cannot be sent.
        """
        return self._observe(self.spec.reset, (), options)

    def step(self, action: Any, options: Mapping[str, Any]) -> EncodedObservation | Awaitable[EncodedObservation]:
        """Step with a validated action; awaitable when `spec.step.is_async`. Raises as `reset` does."""
        return self._observe(self.spec.step, (action,), options)

    def state(self) -> bytes:
        """Read the state as JSON text. Raises as `reset` does."""
        source = f"{self.spec.name}.state"
        return encode_state(_guarded(self._read_state, source), source=source)

    def metadata(self) -> EnvironmentMetadata:
        """Ask the environment to describe itself; if that fails it is logged and the class describes it."""
        if self.spec.describes_itself:
            try:
                described: object = self.environment.get_metadata()
                if isinstance(described, EnvironmentMetadata):
                    return described
                logger.error("%s.get_metadata returned %s", self.spec.name, type(described).__name__)
            except _RAISED:  # a description is not worth failing for
                logger.exception("%s.get_metadata failed", self.spec.name)
        return describe(self.spec.environment_class)

    def close(self) -> Awaitable[Any] | None:
        """Close the environment, and never raise; an awaitable to await when its `close` is async."""
        if not hasattr(self.environment, "close"):  # a class that is not derived from ours need not have one
            return None
        try:
            closing = self.environment.close()
        except _RAISED:  # at a point where nobody can act on it
            logger.exception("%s.close failed", self.spec.name)
            return None
        return self._closed(closing) if isinstance(closing, Awaitable) else None

    def _read_state(self) -> Any:
        state = self.environment.state
        return state() if callable(state) else state

    async def _closed(self, closing: Awaitable[Any]) -> None:
        try:
            await closing
        except _RAISED as error:
            if _is_cancelling(error):
                raise
            logger.exception("%s.close failed", self.spec.name)

    def _observe(
        self, method: Method, arguments: tuple[Any, ...], options: Mapping[str, Any]
    ) -> EncodedObservation | Awaitable[EncodedObservation]:
        source = f"{self.spec.name}.{method.name}"
        call = getattr(self.environment, method.name)
        kept = method.filter(options)
        if method.is_async:
            return _observe_async(call, arguments, kept, source)
        return encode_observation(_guarded(lambda: call(*arguments, **kept), source), source=source)


async def _observe_async(
    call: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...], options: Mapping[str, Any], source: str
) -> EncodedObservation:
    try:
        observation = await call(*arguments, **options)
    except _RAISED as error:
        if _is_cancelling(error):
            raise
        raise _failed(error, source) from error
    return encode_observation(observation, source=source)


def _guarded(call: Callable[[], Any], source: str) -> Any:
    try:
        return call()
    except _RAISED as error:
        raise _failed(error, source) from error


def _is_cancelling(error: BaseException) -> bool:
    """Tell whether the server gave this call up, rather than something inside the environment being cancelled."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def _failed(error: BaseException, source: str) -> EnvironmentFailed:
    logger.error("%s raised %s", source, type(error).__name__, exc_info=error)
    return EnvironmentFailed("EXECUTION_ERROR", str(error), {"exception": type(error).__name__})


def parse_action(action_class: type[BaseModel], payload: Any) -> BaseModel:
    """Validate an action as the wire sent it.

    Raises:
        BadAction: It does not fit; `errors` names each field. Also when a validator of the class blows up.
    """
    try:
        return action_class.model_validate(payload)
    except ValidationError as error:
        raise _invalid(_readable(error)) from error
    except _RAISED as error:  # a validator of the environment's that raised something of its own
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


def _readable(error: ValidationError) -> list[dict[str, Any]]:
    """List what is wrong without the input, which may be large or secret, and without what JSON cannot carry."""
    listed = error.errors(include_url=False, include_context=False, include_input=False)
    return [{"type": e["type"], "loc": list(e["loc"]), "msg": e["msg"]} for e in listed]


def _invalid(errors: list[dict[str, Any]]) -> BadAction:
    return BadAction("VALIDATION_ERROR", "Invalid message", {"errors": errors})
