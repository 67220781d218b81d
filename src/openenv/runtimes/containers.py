"""The containers that we started, on the engine as it is now: which there are, whose they are, and taking them away.

Knows them by their label alone, so those of every process are found, also of one that was killed.
"""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from openenv import engine
from openenv.errors import ConfigurationError, EngineFailed
from openenv.runtimes.container_command import ISOLATED_NETWORK, OWNER_LABEL, PORT_LABEL, RUN_LABEL
from openenv.runtimes.owner import Owner

__all__ = ["Container", "find", "force", "inspect", "list_containers", "prune", "remove", "remove_network", "url_of"]

_REMOVE_S = 60.0
_OTHERS_S = 5.0
_LOOK_S = 0.1
_SERVICE_LABEL = "com.docker.swarm.service.id"


@dataclass(frozen=True)
class Container:
    """A container that we started.

    Attributes:
        id: What the engine calls it.
        name: What it is called.
        image: What it was started from.
        status: What the engine says: running, exited and so on.
        url: Where its server is; None while it has no address.
        owner: The process that started it; None when its label cannot be read.
        created: When it was made.
        service: The service of a swarm that it is a replica of; None for most.
    """

    id: str
    name: str
    image: str
    status: str
    url: str | None
    owner: Owner | None
    created: datetime
    service: str | None = None

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Self:
        """Read what `docker inspect` says about one."""
        labels = told["Config"]["Labels"] or {}
        return cls(
            id=told["Id"],
            name=told["Name"].removeprefix("/"),
            image=told["Config"]["Image"],
            status=told["State"]["Status"],
            url=url_of(told),
            owner=Owner.parse(labels.get(OWNER_LABEL, "")),
            created=_time(told["Created"]),
            service=labels.get(_SERVICE_LABEL),
        )


def list_containers() -> list[Container]:
    """List ours, oldest first.

    Raises:
        NotInstalled: There is no engine.
        EngineFailed: It does not answer as it should.
    """
    ids = engine.docker(["ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={RUN_LABEL}"]).split()
    return sorted((Container.read(told) for told in inspect(ids)), key=lambda container: container.created)


def inspect(ids: Iterable[str]) -> list[dict[str, Any]]:
    """Ask the engine for all it knows about containers; those that are gone are left out."""
    wanted = list(ids)
    if not wanted:
        return []
    try:
        told = engine.docker(["container", "inspect", *wanted])
    except EngineFailed:
        if len(wanted) == 1:
            return []
        return [one for each in wanted for one in inspect([each])]  # one of them went in the meantime
    return list(json.loads(told))


def url_of(told: Mapping[str, Any]) -> str | None:
    """Read from what `docker inspect` says where its server is."""
    port = (told["Config"]["Labels"] or {}).get(PORT_LABEL)
    network = told["NetworkSettings"]
    published = (network["Ports"] or {}).get(f"{port}/tcp")
    if published:
        return f"http://127.0.0.1:{published[0]['HostPort']}"
    address = network["Networks"].get(ISOLATED_NETWORK, {}).get("IPAddress")
    return f"http://{address}:{port}" if address else None


def find(names: Iterable[str]) -> list[Container]:
    """Find ours by name or by the beginning of the id.

    Raises:
        ConfigurationError: One of them is none of ours.
    """
    ours = list_containers()
    found = []
    for name in names:
        matching = [one for one in ours if one.name == name or (len(name) >= 4 and one.id.startswith(name))]
        if not matching:
            raise ConfigurationError(f"there is no container {name!r} of ours; `openenv ps` lists them")
        found += matching
    return found


def prune() -> list[Container]:
    """Remove those whose owner is known to be gone, and the network of ours if nobody is in it."""
    orphans = [one for one in list_containers() if one.owner is not None and one.owner.is_alive() is False]
    remove(orphans)
    remove_network()
    return orphans


def remove(containers: Iterable[Container], *, grace_s: int = 0) -> None:
    """Take containers away, at once unless they are given seconds to end by themselves; with a replica, its service."""
    wanted = list(containers)
    if services := sorted({one.service for one in wanted if one.service}):
        engine.docker(["service", "rm", *services], timeout_s=_REMOVE_S)
    if not (ids := [one.id for one in wanted if not one.service]):
        return
    if grace_s:
        engine.docker(["stop", "-t", str(grace_s), *ids], timeout_s=grace_s * len(ids) + _REMOVE_S)
    force(ids)


def force(ids: Sequence[str]) -> None:
    """Remove containers by id, now. That somebody else does so at the same time is no failure.

    Raises:
        EngineFailed: One of them is still there.
    """
    try:
        engine.docker(["rm", "--force", "--volumes", *ids], timeout_s=_REMOVE_S)
    except EngineFailed:
        deadline = time.monotonic() + _OTHERS_S
        while inspect(ids):
            if time.monotonic() >= deadline:
                raise
            time.sleep(_LOOK_S)


def remove_network() -> None:
    """Remove the network of containers without a network, unless one is in it or it is gone."""
    found = engine.docker(["network", "ls", "--quiet", "--filter", f"label={RUN_LABEL}=network"]).split()
    for network in found:
        try:
            engine.docker(["network", "rm", network])
        except EngineFailed:
            continue  # in use, or gone


def _time(text: str) -> datetime:
    """Read a time of the engine, which has nanoseconds."""
    return datetime.fromisoformat(f"{text[:19]}+00:00").astimezone(UTC)
