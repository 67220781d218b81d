"""`AutoAction`: the action class of an environment by its name."""

from collections.abc import Callable
from typing import Any

from openenv.auto.auto_env import Asked, described
from openenv.auto.classes import action_class
from openenv.client import GenericAction
from openenv.hub.discovery import InstalledEnvironment, list_installed

__all__ = ["AutoAction"]


class AutoAction:
    """Finds the action classes of environments by name. Not to be instantiated."""

    @classmethod
    def from_env(cls, name: str, skip_install: bool = False, *, trust_remote_code: bool = False) -> Callable[..., Any]:
        """Give the class of an environment's actions: the one that its client takes.

        Args:
            name: As in `AutoEnv.from_env`; `echo_env:EchoAction` says which class of the package.
            skip_install: Use nothing of the package: `GenericAction`, as for a URL.
            trust_remote_code: Install the package of a Space without asking.

        Raises:
            ConfigurationError: There is no such environment, or no telling which class it is.
            HubError: The package of the Space could not be installed.
        """
        asked = Asked.parse(name)
        if skip_install or asked.url is not None:
            return GenericAction
        return action_class(asked.environment(trusted=trust_remote_code), asked.wanted)

    from_hub = from_env

    @classmethod
    def get_action_info(cls, name: str) -> dict[str, Any]:
        """Say which class the actions of an installed environment have, and what `AutoEnv.get_env_info` says.

        Raises as `from_env`.
        """
        asked = Asked.parse(name)
        environment = asked.installed()
        found = action_class(environment, asked.wanted)
        told = {"action_class": found.__name__, "module": found.__module__, "schema": found.model_json_schema()}
        return described(environment) | told

    @classmethod
    def list_actions(cls) -> list[InstalledEnvironment]:
        """List the environments whose action class can be asked for: those installed now."""
        return list_installed()
