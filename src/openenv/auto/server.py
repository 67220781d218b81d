"""What serves an environment that was asked for by name, when nobody says where it is served already."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from openenv import engine
from openenv.client import EnvClient
from openenv.errors import ConfigurationError, EngineFailed, NotInstalled
from openenv.hub.discovery import InstalledEnvironment
from openenv.launch import from_docker_image, from_runtime

__all__ = ["Start"]

C = TypeVar("C", bound=EnvClient[Any, Any, Any])


@dataclass(frozen=True, kw_only=True)
class Start:
    """How a server is to be started.

    Attributes:
        provider: What runs an image: the name of a runtime, a container provider, or None for Docker.
        start_timeout_s: Seconds until it must be healthy.
        env_vars: Environment variables of the server.
        options: Those of the client, and those of the runtime.
    """

    provider: Any = None
    start_timeout_s: float = 30.0
    env_vars: Mapping[str, str] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def image(self, client: type[C], image: str) -> C:
        """Run an image, and make the client that owns its container.

        Raises:
            RuntimeFailed: It did not start.
            ConfigurationError: The provider is none, or does not take an option.
        """
        if self.provider is None or isinstance(self.provider, str):
            return from_runtime(client, self.provider or "docker", image, **self._options())
        return from_docker_image(client, image, provider=self.provider, **self._options())

    def installed(self, client: type[C], environment: InstalledEnvironment) -> C:
        """Serve an installed environment: by its image where there is one, else by a process of this Python.

        Raises as `image`.
        """
        if self.provider is not None or _has_image(environment.image):
            return self.image(client, environment.image)
        if environment.folder is None:
            raise ConfigurationError(
                f"nothing here serves {environment.name}: there is no image {environment.image}, and its package has no"
                " openenv.yaml to be served by; give base_url, docker_image or container_provider"
            )
        return from_runtime(client, "process", environment.folder, **self._options())

    def _options(self) -> dict[str, Any]:
        env_vars = {} if self.env_vars is None else {"env_vars": dict(self.env_vars)}
        return {**self.options, **env_vars, "start_timeout_s": self.start_timeout_s}


def _has_image(image: str) -> bool:
    try:
        engine.docker(["image", "inspect", "--format", "{{.Id}}", image])
    except (NotInstalled, EngineFailed):
        return False
    return True
