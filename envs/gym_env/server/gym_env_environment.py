"""Which environment is served: chosen by the variables `GYM_ENV_ID`, `GYM_ENV_KWARGS` and `GYM_NUM_ENVS`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from openenv.errors import ConfigurationError
from openenv.gym import create_app_from_gym

__all__ = ["Choice"]

_DEFAULT = ("CliffWalking-v1", {"render_mode": "ansi"})


@dataclass(frozen=True)
class Choice:
    """What to serve.

    Attributes:
        id: An id that Gymnasium knows, or an entry point (`my_module:make_env`).
        kwargs: Arguments for it, such as `render_mode`.
        num_envs: How many environments each session has, as a vector; None for a single one.
    """

    id: str
    kwargs: dict[str, Any]
    num_envs: int | None = None

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """Read it from the environment's variables; without `GYM_ENV_ID` it is one that needs nothing and shows itself.

        Raises:
            ConfigurationError: A variable makes no sense.
        """
        made, kwargs = environ.get("GYM_ENV_ID", ""), _kwargs(environ.get("GYM_ENV_KWARGS", ""))
        if not made:
            made, kwargs = _DEFAULT[0], _DEFAULT[1] | kwargs
        return cls(made, kwargs, _count(environ.get("GYM_NUM_ENVS", "")))

    def app(self) -> Any:  # what create_app gives
        """Make the application that serves it, after one was made and closed.

        Raises:
            ConfigurationError: Gymnasium cannot make it, or its spaces cannot be sent.
        """
        try:
            return create_app_from_gym(self.id, self.kwargs, num_envs=self.num_envs)
        except TypeError as error:  # the environment's own, of arguments that it does not take
            raise ConfigurationError(
                f"{self.id} cannot be made with the arguments {json.dumps(self.kwargs)} of GYM_ENV_KWARGS: {error}"
            ) from error


def _kwargs(text: str) -> dict[str, Any]:
    try:
        kwargs = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:  # the latter for what is nested too deep
        raise ConfigurationError(f"GYM_ENV_KWARGS is {text[:200]!r}, which is not JSON: {error}") from error
    if not isinstance(kwargs, dict):
        raise ConfigurationError(f'GYM_ENV_KWARGS is {text[:200]!r}; write an object, like {{"render_mode": "ansi"}}')
    return kwargs


def _count(text: str) -> int | None:
    if not text:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ConfigurationError(f"GYM_NUM_ENVS is {text!r}; it is a number of 1 or more")
    return int(text)
