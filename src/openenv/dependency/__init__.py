"""How environments get this runtime: by name or as a wheel, and in place of the distributions it stands in for."""

from openenv.dependency.override import (
    OVERRIDES,
    UPSTREAM,
    asked_for,
    has_uv_settings,
    in_command,
    in_pyproject,
    in_requirements,
    sought_in_command,
    sought_in_project,
    sought_in_requirements,
)
from openenv.dependency.wheel import (
    DISTRIBUTION,
    Dependency,
    Wheel,
    installed_dependency,
    is_released,
    runs_released,
)

__all__ = [
    "DISTRIBUTION",
    "OVERRIDES",
    "UPSTREAM",
    "Dependency",
    "Wheel",
    "asked_for",
    "has_uv_settings",
    "in_command",
    "in_pyproject",
    "in_requirements",
    "installed_dependency",
    "is_released",
    "runs_released",
    "sought_in_command",
    "sought_in_project",
    "sought_in_requirements",
]
