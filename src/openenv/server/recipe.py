"""What a worker process must know to build environments, in a form that travels."""

import logging
import pickle
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from openenv.env import EnvironmentSource, ServerMode
from openenv.errors import ConfigurationError

__all__ = ["Recipe"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Where environments come from, and what their actions are; both by the names of their modules.

    Attributes:
        path: `sys.path`, to find the modules by.
        text: The two, pickled.
        log_level: From which level on log records are wanted.
        mode: What the server lets its callers do.
    """

    path: tuple[str, ...]
    text: bytes
    log_level: int
    mode: ServerMode = ServerMode.SIMULATION

    @classmethod
    def of(
        cls, source: EnvironmentSource, action_class: type[BaseModel], mode: ServerMode = ServerMode.SIMULATION
    ) -> "Recipe":
        """Write down a source.

        Raises:
            ConfigurationError: It cannot be built anywhere but here.
        """
        if source.is_instance:
            raise ConfigurationError(
                f"isolation='process' was asked for, but {source.name} is an instance, which lives in the server's "
                "process; pass its class, or a function that builds one"
            )
        try:
            text = pickle.dumps((source.factory, action_class))
        except Exception as error:  # whatever the pickling of a stranger's object raises
            raise ConfigurationError(
                f"isolation='process' was asked for, but {source.name} cannot be sent to a worker process ({error}); "
                "pass a class, or a function or functools.partial of one, defined at the top level of a module"
            ) from error
        if b"__main__" in text:
            raise ConfigurationError(
                f"isolation='process' was asked for, but {source.name} or its action class is defined in the program "
                "that was started, which a worker process cannot import; move it to a module of its own"
            )
        return cls(tuple(sys.path), text, logging.getLogger().getEffectiveLevel(), mode)

    def load(self) -> tuple[Callable[[], Any], type[BaseModel]]:
        """Import what is needed, and give the factory and the action class. Raises whatever the modules raise."""
        sys.path[:] = self.path
        factory, action_class = pickle.loads(self.text)
        return factory, action_class
