"""Environments by name: `AutoEnv.from_env("echo")` and `AutoAction.from_env("echo")`."""

from openenv.auto.auto_action import AutoAction
from openenv.auto.auto_env import AutoEnv

__all__ = ["AutoAction", "AutoEnv"]
