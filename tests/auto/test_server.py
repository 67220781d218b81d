"""`openenv.auto.server`: what serves an environment that was asked for by name."""

from pathlib import Path
from typing import Any

import pytest

from openenv import AutoEnv, create_app
from openenv.errors import ConfigurationError, NotReady
from openenv.runtimes.contract import is_healthy
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation
from tests.support.serving import serving


class Provider:
    """A container provider as OpenEnv has them, that says where something runs already."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.calls: list[Any] = []

    def start_container(self, image: str, **options: Any) -> str:
        self.calls.append((image, options))
        return self.url

    def wait_for_ready(self, base_url: str, timeout_s: float = 1.0) -> None:
        self.calls.append((base_url, timeout_s))
        if not is_healthy(base_url):
            raise TimeoutError("it never came up")

    def stop_container(self) -> None:
        self.calls.append("stop")


@pytest.mark.usefixtures("moves")
def test_a_provider_runs_the_image_that_build_makes_and_stops_it() -> None:
    with serving(create_app(EchoEnvironment, EchoAction, EchoObservation)) as url:
        provider = Provider(url)
        env = AutoEnv.from_env("zag", container_provider=provider, env_vars={"A": "1"}, port=5)
        assert provider.calls == [("zag_env-env:latest", {"env_vars": {"A": "1"}, "port": 5}), (url, 30.0)]
        env.close()
        env.close()
        assert provider.calls[2:] == ["stop"]
        AutoEnv.from_env("x", docker_image="mine:1", container_provider=provider, skip_install=True).close()
        assert provider.calls[3:] == [("mine:1", {}), (url, 30.0), "stop"]


@pytest.mark.usefixtures("moves")
def test_wait_timeout_is_how_long_a_server_may_take() -> None:
    provider = Provider("http://127.0.0.1:1")
    with pytest.raises(TimeoutError, match="never came up"):
        AutoEnv.from_env("zag", container_provider=provider, wait_timeout=0.2)
    assert provider.calls[1:] == [("http://127.0.0.1:1", 0.2), "stop"]


@pytest.mark.usefixtures("no_docker", "scaffold")
def test_a_process_has_no_longer_either() -> None:
    with pytest.raises(NotReady, match=r"within 0\.01 s"):
        AutoEnv.from_env("auto_env", wait_timeout=0.01)


@pytest.mark.usefixtures("scaffold")
@pytest.mark.parametrize(("has_image", "by"), [(True, "docker"), (False, "process")])
def test_the_image_that_build_makes_goes_before_a_process(docker: Path, has_image: bool, by: str) -> None:
    if not has_image:
        (docker.parent / "bin" / "docker").write_text(f'#!/bin/sh\necho "$@" >> {docker}\n[ "$1" = version ]\n')
    with pytest.raises(ConfigurationError, match=f"the runtime '{by}' does not take these arguments: .*'colour'"):
        AutoEnv.from_env("auto_env", colour="red")  # which no runtime takes, so that nothing starts
    assert docker.read_text().splitlines()[0] == "image inspect --format {{.Id}} auto_env-env:latest"
