"""What a class of environments is like, inspected once per class: which methods are async, what they take."""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_args, get_type_hints

from openenv.env.interface import Environment
from openenv.env.snapshots import format_of
from openenv.types import State

__all__ = ["EnvironmentSpec", "Method", "Snapshots", "promised_by", "spec_of"]


@dataclass(frozen=True, slots=True)
class Method:
    """How to call one method of an environment.

    Attributes:
        name: The attribute to call: `step_async` where a class overrides it, else `step`.
        source: It and its class, for messages: `EchoEnvironment.step`.
        is_async: Whether it gives an awaitable.
        accepts: Names of the keyword arguments it takes; None when it takes any but those in `refuses`.
        refuses: Names of the arguments that are given by position, so that no option may have them.
    """

    name: str
    source: str
    is_async: bool
    accepts: frozenset[str] | None
    refuses: frozenset[str]

    def filter(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Keep the options that the method takes."""
        if self.accepts is None:
            return {name: options[name] for name in options if name not in self.refuses}
        return {name: options[name] for name in options if name in self.accepts}


@dataclass(frozen=True, slots=True)
class Snapshots:
    """How a class of environments is saved and restored.

    Attributes:
        snapshot: The method that gives bytes.
        restore: The one that takes them.
        format: What must be the same for the one to fit the other.
    """

    snapshot: Method
    restore: Method
    format: str


@dataclass(frozen=True, slots=True)
class EnvironmentSpec:
    """All that a server decides by the class of an environment."""

    environment_class: type
    reset: Method
    step: Method
    state_class: type
    is_blocking: bool
    is_concurrent: bool
    is_single_threaded: bool
    describes_itself: bool
    render_web: Method | None
    web_actions: Method | None
    handle_json_rpc: Method | None
    snapshots: Snapshots | None

    @property
    def name(self) -> str:
        """The class name."""
        return self.environment_class.__name__

    @property
    def is_async(self) -> bool:
        """Whether both `reset` and `step` are async, so that no thread is bound to a session."""
        return self.reset.is_async and self.step.is_async

    @property
    def has_view(self) -> bool:
        """Whether the class shows observations in a way of its own, so that the latest one must be kept."""
        return self.render_web is not None or self.web_actions is not None

    @property
    def methods(self) -> tuple[Method, ...]:
        """Every method that a request may call."""
        saving = (None, None) if self.snapshots is None else (self.snapshots.snapshot, self.snapshots.restore)
        optional = (self.render_web, self.web_actions, self.handle_json_rpc, *saving)
        return (self.reset, self.step, *(method for method in optional if method is not None))

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What the class can do beyond reset, step and state, as `/schema` names it."""
        can = {"view": self.has_view, "mcp": self.handle_json_rpc, "snapshot": self.snapshots}
        return tuple(name for name, has in can.items() if has)


@functools.cache
def spec_of(environment_class: type) -> EnvironmentSpec:
    """Inspect a class."""
    return EnvironmentSpec(
        environment_class=environment_class,
        reset=_method(environment_class, "reset", positional=0),
        step=_method(environment_class, "step", positional=1),
        state_class=_state_class(environment_class),
        is_blocking=bool(getattr(environment_class, "BLOCKING", True)),
        is_concurrent=bool(getattr(environment_class, "SUPPORTS_CONCURRENT_SESSIONS", False)),
        is_single_threaded=bool(getattr(environment_class, "REQUIRES_SINGLE_THREAD_EXECUTOR", False)),
        describes_itself=_overrides(environment_class, "get_metadata"),
        render_web=_optional(environment_class, "render_web"),
        web_actions=_optional(environment_class, "web_actions"),
        handle_json_rpc=_optional(environment_class, "handle_json_rpc"),
        snapshots=_snapshots(environment_class),
    )


def _overrides(environment_class: type, name: str) -> bool:
    own = getattr(environment_class, name, None)
    return own is not None and own is not getattr(Environment, name, None)


def _optional(environment_class: type, name: str) -> Method | None:
    """Say how to call a method that a class need not have; it takes one argument."""
    return _method(environment_class, name, positional=1) if _overrides(environment_class, name) else None


def _snapshots(environment_class: type) -> Snapshots | None:
    """Say how to save and restore; None when the class lacks one of the two, and does not leave it to pickle."""
    own = [_overrides(environment_class, name) for name in ("snapshot", "restore")]
    by_pickle = issubclass(environment_class, Environment) and environment_class.SNAPSHOT_BY_PICKLE
    if not (by_pickle or all(own)):
        return None
    return Snapshots(
        _method(environment_class, "snapshot", positional=0),
        _method(environment_class, "restore", positional=1),
        format_of(environment_class, is_pickled=not all(own)),
    )


def _method(environment_class: type, name: str, *, positional: int) -> Method:
    twin = f"{name}_async"
    chosen = twin if _overrides(environment_class, twin) and not _is_newer(environment_class, name, twin) else name
    function = getattr(environment_class, chosen)
    parameters = list(inspect.signature(function).parameters.values())
    given, rest = parameters[: 1 + positional], parameters[1 + positional :]
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    accepts = None if takes_any else _by_keyword(rest)
    source = f"{environment_class.__name__}.{chosen}"
    return Method(chosen, source, inspect.iscoroutinefunction(function), accepts, _by_keyword(given))


def _is_newer(environment_class: type, name: str, than: str) -> bool:
    """Tell whether a class further down defines the one method, so that it would be skipped for the inherited other."""
    first = next((cls for cls in environment_class.__mro__ if not vars(cls).keys().isdisjoint((name, than))), None)
    return first is not None and than not in vars(first)


def _by_keyword(parameters: list[inspect.Parameter]) -> frozenset[str]:
    return frozenset(p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))


def promised_by(function: Callable[..., Any]) -> object:
    """Look up what a function is annotated to return; None when it does not say, or only to a type checker."""
    try:
        return get_type_hints(function).get("return")
    except (AttributeError, NameError, SyntaxError, TypeError):  # names imported for the type checker, or no function
        return None


def _state_class(environment_class: type) -> type:
    """Find the state's class: what the `state` property is annotated with, else the class's type argument."""
    prop = inspect.getattr_static(environment_class, "state", None)
    getter = prop.fget if isinstance(prop, property) else prop
    annotated = promised_by(getter) if callable(getter) else None
    candidates = (annotated, *(arg for base in environment_class.__mro__ for arg in _type_arguments(base)))
    return next((c for c in candidates if isinstance(c, type) and issubclass(c, State)), State)


def _type_arguments(cls: type) -> tuple[Any, ...]:
    return tuple(
        argument
        for base in vars(cls).get("__orig_bases__", ())
        for argument in get_args(base)
        if not isinstance(argument, TypeVar)
    )
