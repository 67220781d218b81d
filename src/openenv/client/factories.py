"""Ways to make a client other than by its constructor: with a server of its own, and many at once."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any, Self

from openenv.client.base import ActT, ClientBase, ObsT, StateT
from openenv.client.vector import EnvVector
from openenv.client.vector_roster import Autoreset

__all__ = ["ClientFactories"]


class ClientFactories(ClientBase[ActT, ObsT, StateT]):
    """The class methods of `EnvClient`."""

    @classmethod
    def from_docker_image(cls, image: str, provider: Any = None, **options: Any) -> Self:
        """Start a container of `image`, wait until it is healthy, and connect to it; `close()` removes it.

        Args:
            image: Such as `my_env-env:latest`.
            provider: What is to run it, as for the constructor; else this machine's Docker engine.
            options: Those of the client, such as `message_timeout_s`, and those of the container: see
                `openenv.runtimes.docker.DockerRuntime`. Of a `provider` those of its `start_container`.

        Raises:
            NotInstalled: There is no Docker engine.
            StartFailed, NotReady: The container died, or was not healthy in time; with its last log lines.
        """
        made: Self = _launcher().from_docker_image(cls, image, provider=provider, **options)
        return made

    @classmethod
    def from_env(cls, repo_id: str, *, use_docker: bool = True, provider: Any = None, **options: Any) -> Self:
        """Run a Hugging Face Space on this machine and connect to it; `close()` takes it away.

        Args:
            repo_id: `owner/name` of the Space.
            use_docker: Run the Space's image; else its repository, by uv.
            provider: What is to run it instead, as for the constructor.
            options: As of `from_docker_image`, and `tag` of the image; for uv those of
                `openenv.runtimes.uv.UvRuntime`, and `project_path`, a folder to run instead of the repository.

        Raises:
            RuntimeFailed: It did not start.
        """
        made: Self = _launcher().from_env(cls, repo_id, use_docker=use_docker, provider=provider, **options)
        return made

    @classmethod
    def from_hub(cls, repo_id: str, provider: Any = None, **options: Any) -> Self:
        """Do as `from_env`; the name that programs written for OpenEnv before 0.3 use."""
        return cls.from_env(repo_id, provider=provider, **options)

    @classmethod
    def pool(cls, servers: Any, **options: Any) -> Any:
        """Make an `openenv.pool.EnvPool` of sessions of this class: `EchoEnv.pool(urls, size=16)`.

        Args:
            servers: URLs and runtimes, or one of them.
            options: Those of `EnvPool`, and those of the client.
        """
        return import_module("openenv.pool").EnvPool(servers, client=cls, **options)  # of a higher rank, as below

    @classmethod
    def vector(
        cls,
        servers: str | Sequence[str],
        num_envs: int,
        *,
        autoreset: Autoreset = "next_step",
        arrays: bool | None = None,
        **options: Any,
    ) -> EnvVector[ActT, ObsT, StateT]:
        """Make a vector of environments, which are stepped together: `EchoEnv.vector(url, 256)`.

        Args:
            servers: Where they are; over several, environments are spread evenly.
            num_envs: How many environments.
            autoreset: What follows an episode that has ended. `next_step`: the next step resets and ignores its action.
                `same_step`: the reset is done at once; the result has the new observation, and the old one in `final`.
                `off`: nothing.
            arrays: Whether NumPy's arrays travel as they are, to servers that can; by default, if the action or the
                observation class has fields for them.
            options: Those of the client.

        Raises:
            ConfigurationError: An argument has a value it cannot have.
        """
        urls = [servers] if isinstance(servers, str) else servers
        return EnvVector([cls(url, **options) for url in urls], num_envs, autoreset=autoreset, arrays=arrays)


def _launcher() -> Any:
    """The module that joins clients to runtimes. It is of a higher rank: asked for by name, and only when needed."""
    return import_module("openenv.launch")
