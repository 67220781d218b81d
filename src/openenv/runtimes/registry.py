"""Runtimes by name: ours, and those that other packages bring by the entry point group `openenv.runtimes`."""

import inspect
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from openenv.errors import ConfigurationError
from openenv.runtimes.contract import Runtime

__all__ = ["GROUP", "OURS", "runtime", "runtime_class"]

GROUP = "openenv.runtimes"
OURS = {
    "docker": "openenv.runtimes.docker:DockerRuntime",
    "kubernetes": "openenv.runtimes.kubernetes:KubernetesRuntime",
    "process": "openenv.runtimes.process:ProcessRuntime",
    "swarm": "openenv.runtimes.swarm:SwarmRuntime",
    "uv": "openenv.runtimes.uv:UvRuntime",
}


def runtime(name: str, /, *args: Any, **options: Any) -> Runtime:
    """Make a runtime by its name; the arguments are those of its class.

    Raises:
        ConfigurationError: There is none of that name, or it does not take an option.
    """
    made = runtime_class(name)
    try:
        # Bound first, so that a TypeError from inside the class is not taken for a wrong argument.
        inspect.signature(made).bind(*args, **options)
    except TypeError as error:
        raise ConfigurationError(f"the runtime {name!r} does not take these arguments: {error}") from error
    return made(*args, **options)


def runtime_class(name: str) -> type[Runtime]:
    """Find a runtime class. Ours go before those of other packages.

    Raises:
        ConfigurationError: There is none of that name, or what a package offers is no runtime.
    """
    if (ours := OURS.get(name)) is not None:
        module, _, attribute = ours.partition(":")
        found: Any = getattr(import_module(module), attribute)
        return found  # type: ignore[no-any-return]  # the table is ours
    offered = {point.name: point for point in entry_points(group=GROUP)}
    if name not in offered:
        known = ", ".join(sorted({*OURS, *offered}))
        raise ConfigurationError(f"there is no runtime {name!r}; there are: {known}")
    found = offered[name].load()
    if not (isinstance(found, type) and issubclass(found, Runtime)):
        raise ConfigurationError(f"the runtime {name!r} of {offered[name].value} is no subclass of Runtime")
    return found
