"""`AutoEnv`: a client for an environment by its name, whether it is installed, a Space, or served somewhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from openenv.auto.classes import client_class
from openenv.auto.server import Start
from openenv.auto.space import hosted_at, install_space, installed_from, space_in
from openenv.client import EnvClient, GenericEnvClient
from openenv.errors import ConfigurationError
from openenv.hub.discovery import InstalledEnvironment, find_installed, list_installed
from openenv.launch import from_env as launch_space

__all__ = ["Asked", "AutoEnv", "described"]


@dataclass(frozen=True)
class Asked:
    """What a name stands for: one of the three.

    Attributes:
        url: The address of a server.
        space: `owner/name` of a Space.
        name: Of an installed environment.
        wanted: The class that was named behind a colon, as in `echo_env:EchoEnv`; None when none was.
    """

    url: str | None = None
    space: str | None = None
    name: str | None = None
    wanted: str | None = None

    @classmethod
    def parse(cls, name: str) -> "Asked":
        """Read a name.

        Raises:
            ConfigurationError: It is none.
        """
        if (space := space_in(name)) is not None:
            return cls(space=space)
        if "://" in name:
            return cls(url=name)
        plain, _, wanted = name.partition(":")
        if not plain or "/" in plain:
            raise ConfigurationError(
                f"{name!r} names no environment; write the name of an installed one, owner/name of a Space, or a URL"
            )
        return cls(name=plain, wanted=wanted or None)

    def environment(self, *, trusted: bool) -> InstalledEnvironment:
        """Find the installed environment; the package of a Space is installed first, if it may be.

        Raises:
            ConfigurationError, HubError: There is none, or it may not or cannot be installed.
        """
        if self.space is not None:
            return install_space(self.space, trusted=trusted)
        return self.installed()

    def installed(self) -> InstalledEnvironment:
        """Find the installed environment, and install nothing.

        Raises:
            ConfigurationError: There is none.
        """
        if self.space is not None:
            if (found := installed_from(self.space)) is None:
                raise ConfigurationError(f"{self.space} is not installed; AutoEnv.from_env({self.space!r}) installs it")
            return found
        if self.name is None:
            raise ConfigurationError(f"{self.url} is the address of a server, which does not say which classes to use")
        return find_installed(self.name, list_installed())


class AutoEnv:
    """Makes clients of environments by name. Not to be instantiated."""

    @classmethod
    def from_env(
        cls,
        name: str,
        base_url: str | None = None,
        docker_image: str | None = None,
        container_provider: Any = None,
        wait_timeout: float = 30.0,
        env_vars: Mapping[str, str] | None = None,
        trust_remote_code: bool = False,
        skip_install: bool = False,
        **kwargs: Any,
    ) -> EnvClient[Any, Any, Any]:
        """Make a client. It is synchronous until it is awaited, like any other.

        Where the environment is served follows from what is given: at `base_url`; else by `docker_image`; else, for a
        Space, where the Hub serves it, if it runs; else on this machine, and until `close()`: by the image that
        `openenv build` has made, if there is one, and otherwise by a process of this Python.

        Args:
            name: `echo`, `echo_env`, `echo-env` for what is installed; `echo_env:EchoEnv` to say which of its clients;
                `owner/name` for a Space; or the URL of a server, whose client takes and gives dicts.
            base_url: Where it is served.
            docker_image: The image to run.
            container_provider: What runs the image, such as "swarm", or a container provider as OpenEnv has them.
            wait_timeout: Seconds until a server that is started here must be healthy.
            env_vars: Environment variables of a server that is started here.
            trust_remote_code: Install the package of a Space without asking.
            skip_install: Use nothing of the package: a `GenericEnvClient`, which takes and gives dicts.
            kwargs: Options of the client and of the runtime.

        Raises:
            ConfigurationError: There is no such environment, or the arguments contradict each other.
            HubError: The package of the Space could not be installed.
            RuntimeFailed: The server did not start.
        """
        asked = Asked.parse(name)
        start = Start(provider=container_provider, start_timeout_s=wait_timeout, env_vars=env_vars, options=kwargs)
        if (url := _served(asked, base_url, docker_image, start)) is not None:
            return _client(asked, skip_install, trust_remote_code)(base_url=url, **kwargs)
        if docker_image is not None:
            return start.image(_client(asked, skip_install, trust_remote_code), docker_image)
        starts_here = env_vars is not None or container_provider is not None
        if asked.space is not None and not starts_here and (url := hosted_at(asked.space)) is not None:
            return _client(asked, skip_install, trust_remote_code)(base_url=url, **kwargs)
        if not skip_install:
            environment = asked.environment(trusted=trust_remote_code)
            return start.installed(client_class(environment, asked.wanted), environment)
        if asked.space is None or container_provider is not None:
            raise ConfigurationError(
                "with skip_install=True nothing says how the environment is served; give base_url or docker_image"
            )
        return launch_space(GenericEnvClient, asked.space, start_timeout_s=wait_timeout, env_vars=env_vars, **kwargs)

    from_hub = from_env

    @classmethod
    def get_env_class(cls, name: str) -> type[EnvClient[Any, Any, Any]]:
        """Import the client class of an installed environment; raises as `from_env`."""
        asked = Asked.parse(name)
        return client_class(asked.environment(trusted=False), asked.wanted)

    @classmethod
    def get_env_info(cls, name: str) -> dict[str, Any]:
        """Say what is known of an installed environment, as the metadata of its package has it; imports nothing.

        Raises:
            ConfigurationError: There is none.
        """
        return described(Asked.parse(name).installed())

    @classmethod
    def list_environments(cls) -> list[InstalledEnvironment]:
        """List the environments that are installed now."""
        return list_installed()


def described(environment: InstalledEnvironment) -> dict[str, Any]:
    """Give an environment as `get_env_info` and `get_action_info` do."""
    module, _, client = (environment.client or "").partition(":")
    return {
        "name": environment.name,
        "env_key": environment.name,
        "package": environment.distribution,
        "version": environment.version,
        "description": environment.description,
        "module": module or environment.package,
        "env_class": client or None,
        "default_image": environment.image,
        "origin": environment.origin,
    }


def _served(asked: Asked, base_url: str | None, docker_image: str | None, start: Start) -> str | None:
    """Say where it is served already, as the caller knows; None when it has to be found out.

    Raises:
        ConfigurationError: The caller says two things.
    """
    if asked.url is not None and base_url not in (None, asked.url):
        raise ConfigurationError(f"the environment is said to be at {asked.url} and at {base_url}; name one of them")
    url = asked.url or base_url
    starting = {"docker_image": docker_image, "container_provider": start.provider, "env_vars": start.env_vars}
    said = [name for name, value in starting.items() if value is not None]
    if url is not None and said:
        raise ConfigurationError(f"nothing is started when the environment is at {url}: leave out {', '.join(said)}")
    return url


def _client(asked: Asked, skip_install: bool, trusted: bool) -> type[EnvClient[Any, Any, Any]]:
    if skip_install or asked.url is not None:
        return GenericEnvClient
    return client_class(asked.environment(trusted=trusted), asked.wanted)
