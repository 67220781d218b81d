"""What a vector on a server is called with, checked as Gymnasium's own vectors check it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from openenv.errors import UsageError

__all__ = ["Stepped", "check_turn", "mask_in", "seeds_for"]

Array = np.ndarray[Any, Any]
Stepped = tuple[Any, Array, Array, Array, dict[str, Any]]
"""What `step` returns."""


def seeds_for(seed: int | Sequence[int | None] | None, num_envs: int) -> list[int | None]:
    """Give each lane its seed: one counts up from the first lane on.

    Raises:
        ValueError: There are more or fewer than lanes.
    """
    if seed is None:
        return [None] * num_envs
    if isinstance(seed, int | np.integer):
        return [int(seed) + index for index in range(num_envs)]
    seeds = list(seed)
    if len(seeds) != num_envs:
        raise ValueError(f"{len(seeds)} seeds were given for {num_envs} environments")
    return seeds


def mask_in(options: Mapping[str, Any] | None, num_envs: int, *, has_begun: bool) -> Array:
    """Say which lanes are to be reset: those of `reset_mask`, or all.

    Raises:
        TypeError: The mask is no array of booleans.
        ValueError: It has another shape, or is all False.
        UsageError: It leaves lanes out that were never reset.
    """
    if options is None or "reset_mask" not in options:
        return np.ones(num_envs, dtype=np.bool_)
    mask = options["reset_mask"]
    if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
        raise TypeError("options['reset_mask'] must be an array of booleans")
    if mask.shape != (num_envs,) or not mask.any():
        raise ValueError(f"options['reset_mask'] must have {num_envs} entries, and one at least that is True")
    if not mask.all() and not has_begun:
        raise UsageError("some lanes only were to be reset before all were once")
    return mask


def check_turn(mode: AutoresetMode | None, ended: Array, *, has_begun: bool) -> None:
    """Raise UsageError when it is not time for a step."""
    if not has_begun:
        raise UsageError("step() was called before reset()")
    if mode is AutoresetMode.DISABLED and ended.any():
        lanes = ", ".join(map(str, np.flatnonzero(ended)))
        raise UsageError(f"the episodes of lanes {lanes} have ended; reset them by options={{'reset_mask': ...}}")
