"""OpenEnv Runtime: environments for training and testing agents, served, isolated and driven.

Names load when first used, so that importing this package costs next to nothing.
"""

import os
import sys
import warnings
from importlib import import_module
from typing import TYPE_CHECKING

from openenv.compat import install

if TYPE_CHECKING:
    from openenv.auto import AutoAction, AutoEnv
    from openenv.client import AsyncEnvClient, EnvClient, GenericAction, GenericEnvClient, SyncEnvClient
    from openenv.env import Environment, EnvironmentMetadata
    from openenv.errors import OpenEnvError
    from openenv.pool import EnvPool
    from openenv.server import create_app
    from openenv.types import Action, Observation, State, StepResult

__all__ = [
    "Action",
    "AsyncEnvClient",
    "AutoAction",
    "AutoEnv",
    "EnvClient",
    "EnvPool",
    "Environment",
    "EnvironmentMetadata",
    "GenericAction",
    "GenericEnvClient",
    "Observation",
    "OpenEnvError",
    "State",
    "StepResult",
    "SyncEnvClient",
    "__version__",
    "create_app",
]

_HOMES = {
    "Action": "types",
    "AsyncEnvClient": "client",
    "AutoAction": "auto",
    "AutoEnv": "auto",
    "EnvClient": "client",
    "EnvPool": "pool",
    "Environment": "env",
    "EnvironmentMetadata": "env",
    "GenericAction": "client",
    "GenericEnvClient": "client",
    "Observation": "types",
    "OpenEnvError": "errors",
    "State": "types",
    "StepResult": "types",
    "SyncEnvClient": "client",
    "create_app": "server",
}

_PACKAGES = ("cli", "core")
"""Found as attributes although nobody has imported them, as code written for OpenEnv expects."""


def _warn_of_namesakes() -> None:
    """Warn when another distribution of this import package is installed: each overwrites files of the other."""
    for folder in sys.path:
        if os.path.basename(folder) not in ("site-packages", "dist-packages") or not os.path.isdir(folder):
            continue
        for entry in os.listdir(folder):
            name, _, rest = entry.partition("-")
            if name in ("openenv", "openenv_core") and rest.endswith(".dist-info"):
                other = name.replace("_", "-")
                warnings.warn(
                    f"{other} is installed beside openenv-runtime, and both own the package 'openenv'; mend it with: "
                    f"pip uninstall -y {other} && pip install --force-reinstall --no-deps openenv-runtime",
                    UserWarning,
                    stacklevel=3,
                )


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version  # costs 20 ms, and few ask

        return version("openenv-runtime")
    if name in _PACKAGES:
        return import_module(f"openenv.{name}")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'openenv' has no attribute {name!r}")
    value = getattr(import_module(f"openenv.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


install()
_warn_of_namesakes()
