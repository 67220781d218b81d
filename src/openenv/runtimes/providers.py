"""Providers: runtimes by the names and methods that code written for OpenEnv has for them.

Each of ours is one of our runtimes under another interface, and takes that runtime's options. `ProvidedRuntime` is the
way back: it makes any provider, whoever wrote it, a runtime.
"""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from openenv.errors import ConfigurationError, UsageError
from openenv.runtimes.contract import Runtime, wait_until_healthy
from openenv.runtimes.registry import runtime

__all__ = [
    "ContainerProvider",
    "DockerSwarmProvider",
    "KubernetesProvider",
    "LocalDockerProvider",
    "ProvidedRuntime",
    "RuntimeProvider",
    "UVProvider",
]


class ContainerProvider(ABC):
    """Runs an image somewhere, one at a time. Leaving a `with` block stops it; entering starts nothing."""

    @abstractmethod
    def start_container(
        self, image: str, port: int | None = None, env_vars: Mapping[str, str] | None = None, **options: Any
    ) -> str:
        """Start a container of the image and give the URL of its server, which need not answer yet."""

    @abstractmethod
    def stop_container(self) -> None:
        """Stop and remove the container; does nothing when there is none."""

    @abstractmethod
    def wait_for_ready(self, base_url: str, timeout_s: float = 30.0) -> None:
        """Wait until the server answers.

        Raises:
            TimeoutError: It did not in time.
        """

    def close(self) -> None:
        """Stop the container."""
        self.stop_container()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class RuntimeProvider(ABC):
    """Runs a server that it knows all about. A `with` block starts it and stops it."""

    @abstractmethod
    def start(self, port: int | None = None, env_vars: Mapping[str, str] | None = None, **options: Any) -> str:
        """Start the server and give its URL, which need not answer yet."""

    @abstractmethod
    def stop(self) -> None:
        """Stop the server; does nothing when there is none."""

    @abstractmethod
    def wait_for_ready(self, timeout_s: float = 30.0) -> None:
        """Wait until the server answers.

        Raises:
            TimeoutError: It did not in time.
        """

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Running:
    """The runtime that a provider of ours has started, if any."""

    def __init__(self) -> None:
        self._runtime: Runtime | None = None

    def begin(self, made: Runtime) -> str:
        if self._runtime is not None:
            raise UsageError(f"{self._runtime} was started by this provider; stop it first, or make another provider")
        url = made.start()
        self._runtime = made
        return url

    def end(self) -> None:
        if self._runtime is not None:
            self._runtime.stop()  # one that cannot be stopped is not forgotten
            self._runtime = None

    def wait(self, base_url: str | None, timeout_s: float) -> None:
        if self._runtime is None:
            raise UsageError("this provider has started nothing to wait for")
        wait_until_healthy(base_url or self._runtime.url, died=self._runtime.died, timeout_s=timeout_s)


class _RuntimeOfOurs(ContainerProvider):
    """A container provider on a runtime of ours; its server is healthy when `start_container` returns.

    Args:
        options: Those of the runtime, for every container. `start_container` may say them too.
    """

    _KIND: str

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._running = _Running()

    def start_container(
        self, image: str, port: int | None = None, env_vars: Mapping[str, str] | None = None, **options: Any
    ) -> str:
        """Start it, and wait until it is healthy.

        Raises:
            ConfigurationError: The runtime does not take an option, or not that value.
            RuntimeFailed: It did not start.
            UsageError: This provider runs a container already.
        """
        return self._running.begin(self._runtime(image, port, {**self._options, "env_vars": env_vars, **options}))

    def stop_container(self) -> None:
        """Stop and remove it.

        Raises:
            RuntimeFailed: It could not be; another call tries again.
        """
        self._running.end()

    def wait_for_ready(self, base_url: str, timeout_s: float = 30.0) -> None:
        """Look whether it is healthy, as it was when it had started.

        Raises:
            NotReady, StartFailed: It is not any more.
        """
        self._running.wait(base_url, timeout_s)

    def _runtime(self, image: str, port: int | None, options: Mapping[str, Any]) -> Runtime:
        at = {} if port is None else {"port": port}
        return runtime(self._KIND, image, **at, **options)


class LocalDockerProvider(_RuntimeOfOurs):
    """Containers of the local Docker engine; the options are those of `DockerRuntime`."""

    _KIND = "docker"


class KubernetesProvider(_RuntimeOfOurs):
    """Pods of a cluster; the options are those of `KubernetesRuntime`. `port` is where the server listens inside."""

    _KIND = "kubernetes"


class DockerSwarmProvider(_RuntimeOfOurs):
    """Replicas in a Docker swarm, which must be there; the URL is the first one's. The options are `SwarmRuntime`'s.

    Args:
        auto_init_swarm: A permission that is not made use of: an engine that is in no swarm is an error either way.
        overlay_network: Must be None: each replica has a port of its own on the host.
        options: As of every container.
    """

    _KIND = "swarm"

    def __init__(self, *, auto_init_swarm: bool = True, overlay_network: str | None = None, **options: Any) -> None:
        del auto_init_swarm
        if overlay_network is not None:
            raise ConfigurationError(f"overlay_network is {overlay_network!r}; it must be None: none is needed")
        super().__init__(**options)

    def _runtime(self, image: str, port: int | None, options: Mapping[str, Any]) -> Runtime:
        renamed = {_SWARM_NAMES.get(name, name): value for name, value in options.items()}
        return super()._runtime(image, port, renamed)


_HOSTS = ("0.0.0.0", "127.0.0.1", "localhost")
_SWARM_NAMES = {"cpu_limit": "cpus", "memory_limit": "memory"}


class UVProvider(RuntimeProvider):
    """An environment's folder or git repository, with its own dependencies, installed by uv.

    Args:
        project_path: The folder, or `git+URL`.
        app: Where the app is in it, as `module:attribute`.
        host: Must be an address that includes 127.0.0.1, where it listens.
        reload: Must be False.
        env_vars: Set for the server beside this process's own.
        context_timeout_s: Seconds until it must be healthy, installing included.
    """

    def __init__(
        self,
        *,
        project_path: str,
        app: str = "server.app:app",
        host: str = "0.0.0.0",
        reload: bool = False,
        env_vars: Mapping[str, str] | None = None,
        context_timeout_s: float = 300.0,
    ) -> None:
        if host not in _HOSTS:
            raise ConfigurationError(f"host is {host!r}; it must be one of {', '.join(_HOSTS)}: it is served locally")
        if reload:
            raise ConfigurationError("reload is True; for that, serve the folder by `openenv serve --reload`")
        self._project_path, self._app, self._timeout_s = project_path, app, context_timeout_s
        self._env_vars = dict(env_vars or {})
        self._running = _Running()

    def start(self, port: int | None = None, env_vars: Mapping[str, str] | None = None, **options: Any) -> str:
        """Install what it needs, start it, and wait until it is healthy. Options are those of `UvRuntime`.

        Raises:
            ConfigurationError: The runtime does not take an option.
            RuntimeFailed: It did not start.
            UsageError: This provider runs a server already.
        """
        options = {"app": self._app, "start_timeout_s": self._timeout_s, **options}
        given = {**self._env_vars, **(env_vars or {})}
        return self._running.begin(runtime("uv", self._project_path, port=port or 0, env_vars=given, **options))

    def stop(self) -> None:
        """Stop it. Raises RuntimeFailed when that cannot be done; another call tries again."""
        self._running.end()

    def wait_for_ready(self, timeout_s: float = 30.0) -> None:
        """Look whether it is healthy, as it was when it had started.

        Raises:
            NotReady, StartFailed: It is not any more.
        """
        self._running.wait(None, timeout_s)


class ProvidedRuntime(Runtime):
    """What a provider runs, as a runtime: started, waited for and stopped by the provider's own methods.

    Args:
        provider: Any object with `start_container` and `stop_container`, or with `start` and `stop`.
        image: What a container provider is to run; None for one that knows.
        start_timeout_s: Seconds that the provider may wait for the server; its own limit by default.
        options: Handed to the provider's start.

    Raises:
        ConfigurationError: It is no provider, or it needs an image and there is none.
    """

    def __init__(
        self,
        provider: Any,  # third parties need not subclass ours
        image: str | None = None,
        *,
        start_timeout_s: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**({} if start_timeout_s is None else {"start_timeout_s": start_timeout_s}))
        kinds = (("start_container", "stop_container"), ("start", "stop"))
        found = next((kind for kind in kinds if all(callable(getattr(provider, name, None)) for name in kind)), None)
        if found is None:
            raise ConfigurationError(
                f"{type(provider).__name__} is no provider: it must have start_container() and stop_container(), or"
                " start() and stop()"
            )
        self._is_container = found == kinds[0]
        self._start, self._stop = (getattr(provider, name) for name in found)
        self._provider, self._options = provider, options
        self._image = (image,) if image is not None and self._is_container else ()
        self._limit = {} if start_timeout_s is None else {"timeout_s": start_timeout_s}
        self._check_start()

    def logs(self, lines: int = 100) -> str:
        """Nothing: a provider does not say."""
        return ""

    def died(self) -> str | None:
        """None while it has not been stopped: a provider does not say."""
        return None

    def _launch(self) -> str:
        url: str = self._start(*self._image, **self._options)
        return url

    def _wait_for(self, url: str) -> None:
        where = (url,) if self._is_container else ()
        self._provider.wait_for_ready(*where, **self._limit)

    def _remove(self) -> None:
        self._stop()

    def _check_start(self) -> None:
        try:
            signature = inspect.signature(self._start)
        except (TypeError, ValueError):
            return  # a callable that says nothing of itself
        try:
            signature.bind(*self._image, **self._options)
        except TypeError as error:
            name = type(self._provider).__name__
            raise ConfigurationError(f"{name}.{self._start.__name__} cannot be called so: {error}") from error

    def __str__(self) -> str:
        return f"what {type(self._provider).__name__} runs"
