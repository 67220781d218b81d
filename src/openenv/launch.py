"""A runtime and the client that drives what it serves, joined: closing the client takes the server away.

The only module that knows both rooms.
"""

import dataclasses
import inspect
import re
import threading
import weakref
from pathlib import Path
from typing import Any, TypeVar

from openenv.client.base import ClientBase
from openenv.client.sync import EnvClient
from openenv.errors import ConfigurationError
from openenv.runtimes import Runtime, RuntimeState, runtime

__all__ = ["Server", "from_docker_image", "from_env", "from_runtime", "give", "launch", "space_image", "space_source"]

C = TypeVar("C", bound=EnvClient[Any, Any, Any])

_SPACE = re.compile(r"[\w.-]+/[\w.-]+")
_CLIENT_OPTIONS = frozenset(inspect.signature(ClientBase.__init__).parameters) - {"self", "base_url", "provider"}
_UV_PROVIDER = frozenset({"context_timeout_s", "host", "reload"})


class Server:
    """A server that a client owns, started when it is first needed. Any thread may call any method."""

    def __init__(self, server: Runtime) -> None:
        self._server = server
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it is; empty while it does not run."""
        return self._server.url if self._server.state is RuntimeState.RUNNING else ""

    def start(self) -> str:
        """Start it unless it runs, and say where it is. Raises as `Runtime.start` does."""
        with self._lock:
            return self.url or self._server.start()

    def stop(self) -> None:
        """Take it away, if it runs."""
        self._server.stop()

    def died(self) -> str | None:
        """Say how it came to its end; None while it lives, and before it was started."""
        return None if self._server.state is RuntimeState.NEW else self._server.died()


def launch(client_class: type[C], server: Runtime, **client_options: Any) -> C:
    """Start a runtime and make the client that owns it: it stops with `close()`, or when the client is dropped.

    Raises:
        RuntimeFailed: It did not start.
    """
    url = server.start()
    try:
        client = client_class(base_url=url, **client_options)
    except BaseException:  # whatever it was, nobody else would stop it
        server.stop()
        raise
    client._endpoint = dataclasses.replace(client._endpoint, died=server.died)
    client._on_close = weakref.finalize(client, server.stop)  # once: what it is started for later is not this client's
    return client


def give(client: ClientBase[Any, Any, Any], provider: Any, *, is_started: bool) -> None:
    """Make a client the owner of what a provider runs: the first call starts it, unless it runs; it stops as above.

    Raises:
        ConfigurationError: It is no provider, or does not say of itself what to start.
    """
    if is_started:
        stop = getattr(provider, "stop_container", None) or getattr(provider, "stop", None)
        if not callable(stop):
            raise ConfigurationError(f"{provider!r} is no provider: it has neither stop_container() nor stop()")
        client._on_close = weakref.finalize(client, stop)
        return
    server = client._server = Server(_provided(provider))
    client._endpoint = dataclasses.replace(client._endpoint, start=server.start, died=server.died)
    client._on_close = server.stop
    weakref.finalize(client, server.stop)


def from_docker_image(client_class: type[C], image: str, *, provider: Any = None, **options: Any) -> C:
    """Start a container and make its client. See `EnvClient.from_docker_image`."""
    ours, theirs = _split(options)
    server = runtime("docker", image, **theirs) if provider is None else _provided(provider, image, **theirs)
    return launch(client_class, server, **ours)


def from_env(
    client_class: type[C],
    repo_id: str,
    *,
    use_docker: bool = True,
    provider: Any = None,
    tag: str = "latest",
    **options: Any,
) -> C:
    """Start a Space on this machine and make its client. See `EnvClient.from_env`."""
    if use_docker:
        return from_docker_image(client_class, space_image(repo_id, tag), provider=provider, **options)
    ours, theirs = _split(options)
    if provider is not None:
        _check(repo_id)
        return launch(client_class, _provided(provider, **theirs), **ours)
    source = theirs.pop("project_path", None) or space_source(repo_id)
    return launch(client_class, _uv(str(source), theirs), **ours)


def from_runtime(client_class: type[C], name: str, what: str | Path, **options: Any) -> C:
    """Start a runtime by its name, and make its client. Takes the options of both."""
    ours, theirs = _split(options)
    return launch(client_class, runtime(name, what, **theirs), **ours)


def space_image(repo_id: str, tag: str = "latest") -> str:
    """Name the image that Hugging Face builds of a Space.

    Raises:
        ConfigurationError: It is no `owner/name`.
    """
    _check(repo_id)
    return f"registry.hf.space/{re.sub(r'[^a-z0-9]', '-', repo_id.lower())}:{tag}"


def space_source(repo_id: str) -> str:
    """Name the git repository of a Space. Raises as `space_image`."""
    _check(repo_id)
    return f"git+https://huggingface.co/spaces/{repo_id}"


def _uv(source: str, options: dict[str, Any]) -> Runtime:
    """Make the runtime of a Space's source, by whose names it is asked for: ours, or those of OpenEnv's provider."""
    if not _UV_PROVIDER & options.keys():
        return runtime("uv", source, **options)
    from openenv.runtimes.providers import UVProvider  # few ask, here and below

    made = {name: options.pop(name) for name in _UV_PROVIDER & options.keys()}
    return _provided(UVProvider(project_path=source, **made), **options)


def _provided(provider: Any, image: str | None = None, **options: Any) -> Runtime:
    from openenv.runtimes.providers import ProvidedRuntime

    return ProvidedRuntime(provider, image, **options)


def _check(repo_id: str) -> None:
    if not _SPACE.fullmatch(repo_id):
        raise ConfigurationError(f"{repo_id!r} is no Space; write it as owner/name, such as openenv/echo_env")


def _split(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part the client's options from the runtime's; who takes none of them refuses it by name."""
    ours = {name: value for name, value in options.items() if name in _CLIENT_OPTIONS}
    return ours, {name: value for name, value in options.items() if name not in ours}
