"""What `openenv serve gym:...` serves: `app`, made when it is asked for from the variable `OPENENV_GYM`.

A variable, since the processes of `--workers` and `--reload` import their app by name.
"""

import os

from openenv.errors import ConfigurationError
from openenv.gym.app import create_app_from_gym
from openenv.gym.source import parse_target

__all__: list[str] = []

VARIABLE = "OPENENV_GYM"


def __getattr__(name: str) -> object:
    if name != "app":
        raise AttributeError(f"module 'openenv.gym.served' has no attribute {name!r}")
    target = os.environ.get(VARIABLE, "")
    if not target:
        raise ConfigurationError(f"{VARIABLE} is not set; it says what to serve, such as CartPole-v1")
    make, kwargs = parse_target(target)
    app = create_app_from_gym(make, kwargs)
    globals()["app"] = app
    return app
