"""Finding and removing the containers that we started, on a real engine."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from openenv.engine import docker
from openenv.errors import ConfigurationError
from openenv.runtimes import containers
from openenv.runtimes.container_command import ISOLATED_NETWORK
from openenv.runtimes.containers import Container
from openenv.runtimes.docker import DockerRuntime
from openenv.runtimes.owner import Owner
from tests.runtimes.images import containers_of
from tests.support.engine import BASE_IMAGE, require_engine

# The images are built by the first test that needs them, which takes its time.
pytestmark = pytest.mark.timeout(60, func_only=True)

GONE = Owner(Owner.me().pid, "another boot 1", Owner.me().host)
ELSEWHERE = Owner(1, "then", "elsewhere")


@pytest.fixture
def orphan() -> Iterator[str]:
    """A container whose owner is gone."""
    require_engine()
    yield from _container(str(GONE))


@pytest.fixture
def strangers() -> Iterator[str]:
    """A container whose owner is on another machine."""
    require_engine()
    yield from _container(str(ELSEWHERE))


def _container(owner: str) -> Iterator[str]:
    labels = ["--label", "openenv.run=a_test", "--label", f"openenv.owner={owner}", "--label", "openenv.port=8000"]
    container = docker(["create", *labels, BASE_IMAGE])
    yield container
    if containers.inspect([container]):
        docker(["rm", "--force", container])


def listed(image_id: str) -> list[Container]:
    return [one for one in containers.list_containers() if one.id == image_id]


def test_what_runs_is_listed_with_its_url_and_owner(stand_in: str) -> None:
    with DockerRuntime(stand_in) as runtime:
        (found,) = containers.find([runtime.name])
        assert (found.name, found.image, found.status) == (runtime.name, stand_in, "running")
        assert found.url == runtime.url
        assert found.owner == Owner.me()
        assert abs((datetime.now(UTC) - found.created).total_seconds()) < 60
        assert containers.find([found.id[:12]]) == [found]


def test_what_has_no_network_is_listed_with_its_address(stand_in: str) -> None:
    with DockerRuntime(stand_in, network="none") as runtime:
        (found,) = containers.find([runtime.name])
        assert found.url == runtime.url


def test_containers_of_others_are_not_ours(stand_in: str) -> None:
    theirs = docker(["create", "--name", "openenv-test-theirs", stand_in])
    try:
        assert listed(theirs) == []
        with pytest.raises(ConfigurationError, match="there is no container 'openenv-test-theirs' of ours"):
            containers.find(["openenv-test-theirs"])
    finally:
        docker(["rm", theirs])


def test_the_orphans_are_pruned_and_nobody_else(
    orphan: str, strangers: str, stand_in: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with DockerRuntime(stand_in) as runtime:
        mine = [*listed(orphan), *listed(strangers), *containers.find([runtime.name])]
        with monkeypatch.context() as patched:
            patched.setattr(containers, "list_containers", lambda: mine)  # other tests have orphans too
            assert [one.id for one in containers.prune()] == [orphan]
        assert listed(orphan) == []
        assert listed(strangers) != []
        assert runtime.died() is None


def test_one_whose_label_cannot_be_read_is_not_taken_for_an_orphan(monkeypatch: pytest.MonkeyPatch) -> None:
    unreadable = {"Image": "an_image", "Labels": {"openenv.owner": "x"}}
    monkeypatch.setattr(containers, "list_containers", lambda: [Container.read(told(Config=unreadable))])
    monkeypatch.setattr(containers, "remove_network", lambda: None)
    assert containers.prune() == []


def test_one_that_somebody_else_removed_in_the_meantime_is_removed(orphan: str) -> None:
    docker(["rm", orphan])
    containers.force([orphan])


def test_pruning_leaves_a_network_that_is_used(stand_in: str) -> None:
    with DockerRuntime(stand_in, network="none") as runtime:
        containers.remove_network()
        assert docker(["network", "ls", "--quiet", "--filter", f"name={ISOLATED_NETWORK}"])
        assert runtime.died() is None


def test_one_that_went_in_the_meantime_does_not_hide_the_others(orphan: str) -> None:
    assert [told["Id"] for told in containers.inspect([orphan, "f" * 64])] == [orphan]
    assert containers.inspect(["f" * 64]) == containers.inspect([]) == []


def test_removing_gives_a_server_time_to_end(stand_in: str) -> None:
    runtime = DockerRuntime(stand_in)
    runtime.start()
    containers.remove(containers.find([runtime.name]), grace_s=5)
    assert containers_of(stand_in) == []
    assert runtime.died() == "its container was removed"
    runtime.stop()


def test_removing_nothing_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    containers.remove([])


def told(**changed: Any) -> dict[str, Any]:
    return {
        "Id": "0123",
        "Name": "/a_name",
        "Created": "2026-01-02T03:04:05.678901234Z",
        "Config": {"Image": "an_image", "Labels": {"openenv.port": "8000", "openenv.owner": str(ELSEWHERE)}},
        "State": {"Status": "running"},
        "NetworkSettings": {"Ports": {"8000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "32768"}]}, "Networks": {}},
        **changed,
    }


def test_what_the_engine_tells_is_read() -> None:
    assert Container.read(told()) == Container(
        id="0123",
        name="a_name",
        image="an_image",
        status="running",
        url="http://127.0.0.1:32768",
        owner=ELSEWHERE,
        created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )


@pytest.mark.parametrize("ports", [None, {}, {"8000/tcp": None}, {"8000/tcp": []}])
def test_what_has_ended_has_no_url(ports: Any) -> None:
    assert Container.read(told(NetworkSettings={"Ports": ports, "Networks": {}})).url is None
