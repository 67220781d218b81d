"""What an environment says about its tasks: which splits there are, and what is in them."""

import logging
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from openenv.errors import BadRequest, EnvironmentFailed, NotSupported, RemoteFault

__all__ = ["TaskProvider", "blamed", "unsupported"]

logger = logging.getLogger(__name__)


@runtime_checkable
class TaskProvider(Protocol):
    """An environment with tasks. A task is whatever JSON can carry.

    Each method may be `async def`, a class method or a static method, and a server does without those that are missing.
    A split that there is none of is a `KeyError`, a task that there is none of an `IndexError`.
    """

    def list_splits(self) -> Any:
        """List the splits: names, or objects with a `name` and a `type` of train, validation or test."""

    def list_tasks(self, split: str) -> Any:
        """List the tasks of a split."""

    def num_tasks(self, split: str) -> Any:
        """Count the tasks of a split."""

    def get_task(self, split: str, index: int) -> Any:
        """Give one task, counted from 0."""

    def get_task_range(self, split: str, start: int | None = None, stop: int | None = None) -> Any:
        """Give the tasks from `start` to before `stop`, as a slice does."""


def unsupported(method: str) -> NotSupported:
    """Say that an environment has no such method."""
    return NotSupported("NOT_SUPPORTED", f"{method} is not supported for this environment")


def blamed(error: BaseException, method: str, arguments: Mapping[str, Any], source: str) -> RemoteFault:
    """Say what an exception that a task method raised means; one that means nothing is logged."""
    match error:
        case NotImplementedError():
            return unsupported(method)
        case IndexError():
            return BadRequest("NO_SUCH_TASK", f"Invalid task index: {arguments.get('index')}")
        case KeyError() if "split" in arguments:
            return BadRequest("NOT_FOUND", f"unknown split {arguments['split']!r}")
        case _:
            logger.error("%s raised %s", source, type(error).__name__, exc_info=error)
            return EnvironmentFailed("EXECUTION_ERROR", str(error), {"exception": type(error).__name__})
