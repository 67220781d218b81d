"""A runtime and the client that drives what it serves, joined: closing the client takes the server away.

The only module that knows both rooms.
"""

import dataclasses
import inspect
import re
import weakref
from typing import Any, TypeVar

from openenv.client.base import ClientBase
from openenv.client.sync import EnvClient
from openenv.errors import ConfigurationError
from openenv.runtimes import Runtime, runtime

__all__ = ["from_docker_image", "from_env", "launch", "space_image", "space_source"]

C = TypeVar("C", bound=EnvClient[Any, Any, Any])

_SPACE = re.compile(r"[\w.-]+/[\w.-]+")
_CLIENT_OPTIONS = frozenset(inspect.signature(ClientBase.__init__).parameters) - {"self", "base_url", "provider"}


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
    client._on_close = weakref.finalize(client, server.stop)
    return client


def from_docker_image(client_class: type[C], image: str, **options: Any) -> C:
    """Start a container and make its client. See `EnvClient.from_docker_image`."""
    ours, theirs = _split(options)
    return launch(client_class, runtime("docker", image, **theirs), **ours)


def from_env(client_class: type[C], repo_id: str, *, use_docker: bool = True, tag: str = "latest", **options: Any) -> C:
    """Start a Space on this machine and make its client. See `EnvClient.from_env`."""
    ours, theirs = _split(options)
    if use_docker:
        return launch(client_class, runtime("docker", space_image(repo_id, tag), **theirs), **ours)
    return launch(client_class, runtime("uv", space_source(repo_id), **theirs), **ours)


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


def _check(repo_id: str) -> None:
    if not _SPACE.fullmatch(repo_id):
        raise ConfigurationError(f"{repo_id!r} is no Space; write it as owner/name, such as openenv/echo_env")


def _split(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Part the client's options from the runtime's; who takes none of them refuses it by name."""
    ours = {name: value for name, value in options.items() if name in _CLIENT_OPTIONS}
    return ours, {name: value for name, value in options.items() if name not in ours}
