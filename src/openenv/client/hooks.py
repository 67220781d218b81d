"""What subclasses of a client override beside the three hooks of `ClientBase`: its methods, and the coroutine hooks.

OpenEnv's client has each method twice, as `reset` and as the coroutine `_reset_async`, and subclasses override either.
Ours are not made of coroutines, so a subclass that overrides a hook gets methods that go through it, synchronously too.
A class that overrides neither pays nothing. Decided once per class.
"""

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from openenv.client.aio import AsyncEnvClient

if TYPE_CHECKING:
    from openenv.client.sync import EnvClient

__all__ = ["fit"]

_HOOKED = ("connect", "reset", "step", "state", "disconnect", "close")
_CONNECT_FIRST = ("reset", "step", "state")
"""What goes through `_connect_async` each time, if a subclass overrides that; it must do nothing if nothing is due."""
_METHODS = (*_HOOKED, "new_session", "snapshot", "restore", "fork")


def fit(kind: "type[EnvClient[Any, Any, Any]]", base: "type[EnvClient[Any, Any, Any]]") -> None:
    """Let a new class of clients go through what it overrides, and its async face too."""
    hooked = [name for name in _HOOKED if _differs(kind, base, f"_{name}_async")]
    if "connect" in hooked:
        hooked += [name for name in _CONNECT_FIRST if name not in hooked]
        kind._connects_first = True
    for name in hooked:
        if not _differs(kind, base, name):
            setattr(kind, name, _through_hook(name))
    overridden = [name for name in _METHODS if _differs(kind, base, name)]
    if overridden:
        kind._face = type("AsyncEnvClient", (AsyncEnvClient,), {name: _through_method(name) for name in overridden})


def _differs(kind: type, base: type, name: str) -> bool:
    return getattr(kind, name) is not getattr(base, name)


def _through_hook(name: str) -> Callable[..., Any]:
    """Make the public method of a client that carries out a coroutine hook."""

    def method(self: "EnvClient[Any, Any, Any]", *args: Any, **options: Any) -> Any:
        return self._by_hook(name, args, options)

    method.__name__ = name
    method.__doc__ = f"Carry out `_{name}_async`."
    return method


def _through_method(name: str) -> Callable[..., Any]:
    """Make the method of an async face that carries out the client's own."""

    async def method(self: AsyncEnvClient[Any, Any, Any], *args: Any, **options: Any) -> Any:
        result = getattr(self._client, name)(*args, **options)
        result = await result if inspect.isawaitable(result) else result
        return self if result is self._client else result

    method.__name__ = name
    method.__doc__ = f"Carry out the client's own `{name}`."
    return method
