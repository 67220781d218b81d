"""Starting something that serves an environment, and saying where it is."""

from openenv.runtimes.contract import Runtime, RuntimeState
from openenv.runtimes.process import ProcessRuntime
from openenv.runtimes.registry import runtime

__all__ = ["ProcessRuntime", "Runtime", "RuntimeState", "runtime"]
