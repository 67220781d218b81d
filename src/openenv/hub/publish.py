"""How a Space is published: the order of the calls, so that whatever fails leaves a Space as it was or goes through.

What is large is brought over first; then come the settings, so that the new code starts with them; the commit, which
changes every file at once, is last. What the Space holds is decided in `space`, what a call does in `huggingface`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from openenv.errors import HubError
from openenv.hub.huggingface import Hub, SpaceState
from openenv.hub.space import Addresses, SpaceContents, addresses

__all__ = ["Published", "SpaceSettings", "propose", "publish"]


@dataclass(frozen=True, kw_only=True)
class SpaceSettings:
    """What a Space is given beside its files.

    Attributes:
        private: Whether only its owner's people see it; else a new one is as its owner's are, and an old one as it was.
        hardware: What it runs on; None for what it has.
        variables: Environment variables that everybody may read.
        secrets: Environment variables that nobody may.
    """

    private: bool = False
    hardware: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Published:
    """What became of it.

    Attributes:
        repo_id: Which Space.
        addresses: Where it is.
        is_private: Whether everybody sees it.
        pull_request: Where the change waits to be merged; None when there is none.
    """

    repo_id: str
    addresses: Addresses
    is_private: bool
    pull_request: str | None = None


def publish(hub: Hub, contents: SpaceContents, repo_id: str, settings: SpaceSettings) -> Published:
    """Make a Space of that name have these contents, creating it if there is none. Files it has besides stay.

    Raises:
        HubError: It could not be done. The Space's files are as they were.
    """
    space = _existing(hub, repo_id)
    if space is None:
        hub.create(repo_id, private=settings.private, hardware=settings.hardware)
        space = hub.space(repo_id)
        if space is None:
            raise HubError(
                f"{repo_id} can neither be seen nor created by this token", hint="name another Space by --repo-id"
            )
    if settings.private and not space.is_private:
        hub.make_private(repo_id)  # before anything is in it that should not be seen
    upload = hub.upload(repo_id, _files(contents), as_pull_request=False)
    for key, value in settings.variables.items():
        hub.set_variable(repo_id, key, value)
    for key, value in settings.secrets.items():
        hub.set_secret(repo_id, key, value)
    hub.commit(upload, _message(contents))
    if settings.hardware not in (None, space.hardware):
        hub.request_hardware(repo_id, settings.hardware)
    where = addresses(repo_id, endpoint=hub.endpoint, server=space.server)
    return Published(repo_id, where, settings.private or space.is_private)


def propose(hub: Hub, contents: SpaceContents, repo_id: str) -> Published:
    """Open a pull request that makes a Space have these contents.

    Raises:
        HubError: There is no such Space, or it could not be done.
    """
    space = _existing(hub, repo_id)
    if space is None:
        raise HubError(
            f"there is no Space {repo_id} to open a pull request for, or this token may not see it",
            hint="push without --create-pr to create it",
        )
    upload = hub.upload(repo_id, _files(contents), as_pull_request=True)
    committed = hub.commit(upload, _message(contents))
    where = addresses(repo_id, endpoint=hub.endpoint, server=space.server)
    return Published(repo_id, where, space.is_private, committed.pull_request)


def _existing(hub: Hub, repo_id: str) -> SpaceState | None:
    space = hub.space(repo_id)
    if space is not None and space.sdk not in (None, "docker"):
        raise HubError(
            f"{repo_id} is there already, as a Space of another kind (sdk: {space.sdk}), which would be overwritten",
            hint="give another name by --repo-id, or delete that Space first",
        )
    return space


def _files(contents: SpaceContents) -> list[tuple[str, bytes | Path]]:
    return [(file.path, file.content) for file in contents.files]


def _message(contents: SpaceContents) -> str:
    return f"Publish {contents.manifest.name} by openenv push"
