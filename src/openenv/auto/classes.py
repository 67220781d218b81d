"""The client and the action class of an installed environment: as its package says or exports, by no guessed name."""

import inspect
from importlib import import_module
from types import ModuleType
from typing import Any

from openenv.client import EnvClient
from openenv.client.base import type_arguments
from openenv.errors import ConfigurationError
from openenv.hub.discovery import GROUP, InstalledEnvironment
from openenv.types import Action

__all__ = ["action_class", "client_class"]


def client_class(environment: InstalledEnvironment, wanted: str | None = None) -> type[EnvClient[Any, Any, Any]]:
    """Import the client of an environment.

    Args:
        environment: Whose.
        wanted: The name of the class, where there are several; None for the one there is.

    Raises:
        ConfigurationError: The package cannot be imported, exports no client, or several.
    """
    if environment.client is None or wanted is not None:
        exported: type[EnvClient[Any, Any, Any]] = _exported(environment, EnvClient, "client", wanted)
        return exported
    module, _, attribute = environment.client.partition(":")
    found: Any = _imported(environment, module)
    for part in filter(None, attribute.split(".")):
        found = getattr(found, part, None)
    if not (isinstance(found, type) and issubclass(found, EnvClient)):
        raise ConfigurationError(
            f"{environment.distribution} says by the entry point {GROUP} that its client is {environment.client!r},"
            " which is no subclass of EnvClient; its author has to correct it"
        )
    return found


def action_class(environment: InstalledEnvironment, wanted: str | None = None) -> type[Action]:
    """Import the action class of an environment: the one its client takes, else the one its package exports.

    Raises as `client_class`.
    """
    if wanted is None:
        taken = type_arguments(client_class(environment))[0]
        if isinstance(taken, type) and issubclass(taken, Action) and taken is not Action:
            return taken
    exported: type[Action] = _exported(environment, Action, "models", wanted)
    return exported


def _exported(environment: InstalledEnvironment, base: type[Any], submodule: str, wanted: str | None) -> Any:
    """Find the one subclass of `base` that the package exports, or else its module where such classes live."""
    found = _subclasses(_imported(environment, environment.package), base)
    if not found or (wanted is not None and wanted not in found):
        found |= _subclasses(_imported(environment, f"{environment.package}.{submodule}", may_lack=True), base)
    if wanted is not None and wanted in found:
        return found[wanted]
    kind = base.__name__
    listed = ", ".join(sorted(found))
    if not found:
        raise ConfigurationError(
            f"the package {environment.package} of {environment.distribution} exports no subclass of {kind};"
            " skip_install=True does without"
        )
    if wanted is not None:
        raise ConfigurationError(f"the package {environment.package} has no {kind} {wanted!r}; it has: {listed}")
    if len(found) > 1:
        raise ConfigurationError(
            f"the package {environment.package} exports several subclasses of {kind}: {listed};"
            f" say which by {environment.name + ':' + min(found)!r}"
        )
    return next(iter(found.values()))


def _imported(environment: InstalledEnvironment, name: str, *, may_lack: bool = False) -> ModuleType | None:
    try:
        return import_module(name)
    except Exception as error:  # what the code of a package raises is its own affair
        if may_lack and isinstance(error, ModuleNotFoundError) and error.name == name:
            return None
        raise ConfigurationError(
            f"{name} of {environment.distribution} cannot be imported: {type(error).__name__}: {error}"
        ) from error


def _subclasses(module: ModuleType | None, base: type[Any]) -> dict[str, type[Any]]:
    """Give the classes that a module exports: by its `__all__`, or else by names without an underscore."""
    if module is None:
        return {}
    names = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
    values = [getattr(module, str(name), None) for name in names]
    found = {
        value
        for value in values
        if inspect.isclass(value) and issubclass(value, base) and not f"{value.__module__}.".startswith("openenv.")
    }
    own = {value for value in found if value.__module__.partition(".")[0] == module.__name__.partition(".")[0]}
    return {value.__name__: value for value in own or found}
