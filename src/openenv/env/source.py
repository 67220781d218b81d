"""Where environments come from: a class, a partial, a factory function, or one instance."""

import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any

from openenv.env.interface import Environment
from openenv.env.spec import EnvironmentSpec, promised_by, spec_of
from openenv.errors import ConfigurationError, FactoryFailed

__all__ = ["EnvironmentSource"]

logger = logging.getLogger(__name__)


class EnvironmentSource:
    """Builds environments.

    Attributes:
        name: What to call the source in messages.
        factory: What is called to build one; `build` does it.
        spec: What its environments are like; None for a bare factory that has not built one yet.
        is_instance: Whether there is one environment only, which is handed out again and never closed by us.
    """

    def __init__(self, given: Any) -> None:
        self.is_instance = not callable(given) or isinstance(given, Environment)
        self.factory: Callable[[], Any] = (lambda: given) if self.is_instance else given
        found: type | None = type(given) if self.is_instance else _class_of(given)
        if found is not None:
            _check(found)
        self.name = found.__name__ if found else getattr(given, "__name__", type(given).__name__)
        self.spec: EnvironmentSpec | None = None if found is None else spec_of(found)

    def build(self) -> Environment[Any, Any, Any]:
        """Build one environment, and learn what it is like if that was not known or is not what was promised.

        Raises:
            FactoryFailed: The factory raised, or built something that is no environment. Logged with its cause.
        """
        try:
            environment = self.factory()
            if self.spec is None or self.spec.environment_class is not type(environment):
                _check(type(environment))
                self.spec = spec_of(type(environment))  # type: ignore[arg-type]  # a class is hashable
        except (Exception, SystemExit) as error:  # the boundary to the environment's code
            logger.error("environment factory %r raised", self.name, exc_info=error)
            message = f"Environment factory '{self.name}' failed to create instance."
            details = {"factory_name": self.name, "exception": type(error).__name__, "cause": str(error)}
            raise FactoryFailed("FACTORY_ERROR", message, details) from error
        return environment  # type: ignore[no-any-return]  # checked by shape: foreign classes are welcome


def _class_of(given: Callable[..., Any]) -> type | None:
    """Find out, without building, which class a callable will give."""
    while isinstance(given, functools.partial):
        given = given.func
    if isinstance(given, type):
        return given
    promised = promised_by(given)
    if isinstance(promised, type) and issubclass(promised, Environment) and not inspect.isabstract(promised):
        return promised
    return None


def _check(environment_class: type) -> None:
    missing = [name for name in ("reset", "step", "state") if not hasattr(environment_class, name)]
    if missing:
        raise ConfigurationError(
            f"{environment_class.__name__} is no environment: it has no {' and no '.join(missing)}; "
            "pass an Environment class, a factory, or an instance"
        )
    if inspect.isabstract(environment_class):
        names = ", ".join(sorted(getattr(environment_class, "__abstractmethods__", ())))
        raise ConfigurationError(f"{environment_class.__name__} cannot be built: it does not implement {names}")
