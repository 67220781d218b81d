"""TRL's Docker mode, on a real engine: a provider starts a container, and clients are made of its URL."""

import pytest

from openenv.core.containers.runtime import LocalDockerProvider
from openenv.core.generic_client import GenericEnvClient
from tests.runtimes.images import containers_of

# As in test_docker: the image is built by the first test that needs it.
pytestmark = pytest.mark.timeout(60, func_only=True)


def test_a_container_that_a_provider_started_serves_clients_until_it_is_stopped(environment_image: str) -> None:
    provider = LocalDockerProvider()
    base_url = provider.start_container(environment_image)
    provider.wait_for_ready(base_url)
    with GenericEnvClient(base_url=base_url) as first, GenericEnvClient(base_url=base_url) as second:
        first.reset()
        second.reset()
        assert first.step({"message": "Hi"}).observation["echoed_message"] == "Hi"
        assert second.state()["step_count"] == 0
    assert len(containers_of(environment_image)) == 1  # a client that did not start it does not stop it
    provider.stop_container()
    assert containers_of(environment_image) == []


def test_a_client_owns_the_container_of_its_provider(environment_image: str) -> None:
    env = GenericEnvClient.from_docker_image(environment_image, provider=LocalDockerProvider())
    env.reset()
    assert env.step({"message": "Hi"}).observation["echoed_message"] == "Hi"
    env.close()
    assert containers_of(environment_image) == []
