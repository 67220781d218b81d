"""How environments get this runtime: by name or as a wheel, and in place of the distributions it stands in for."""

from openenv.dependency.override import (
    OVERRIDES,
    UPSTREAM,
    asked_for,
    in_command,
    in_pyproject,
    in_requirements,
)
from openenv.dependency.wheel import DISTRIBUTION, Dependency, Wheel, installed_dependency, is_released

__all__ = [
    "DISTRIBUTION",
    "OVERRIDES",
    "UPSTREAM",
    "Dependency",
    "Wheel",
    "asked_for",
    "in_command",
    "in_pyproject",
    "in_requirements",
    "installed_dependency",
    "is_released",
]
