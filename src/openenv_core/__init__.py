"""The old name of `openenv.core`, kept for code from when it was the only one. Says so when it is imported."""

import warnings

import openenv.core
from openenv.compat.table import names_in

__all__ = list(names_in("openenv.core"))  # found below

warnings.warn(
    "the package openenv_core is called openenv.core now; change the imports, everything else stays the same",
    DeprecationWarning,
    stacklevel=2,
)


def __getattr__(name: str) -> object:
    return getattr(openenv.core, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(openenv.core)})
