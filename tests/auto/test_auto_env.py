"""`AutoEnv`: which client is made of a name."""

import asyncio
from typing import Any

import pytest

from openenv import AutoAction, AutoEnv, GenericAction, GenericEnvClient, create_app
from openenv.errors import ConfigurationError, Refused
from openenv.runtimes.contract import is_healthy
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation
from tests.support.serving import serving


@pytest.mark.usefixtures("no_docker", "scaffold")
def test_a_scaffold_is_found_served_by_this_python_and_taken_away() -> None:
    secret = "Bearer hush"
    env = AutoEnv.from_env("auto", env_vars={"OPENENV_TOKEN": secret[7:]}, headers={"Authorization": secret})
    with env:
        with pytest.raises(Refused):  # the variable has reached the server
            GenericEnvClient(env.base_url).connect()
        assert str(type(env)) == "<class 'auto_env.client.AutoEnv'>"
        env.reset()
        action = AutoAction.from_env("auto-env")
        assert action.__module__ == "auto_env.models"
        result = env.step(action(message="Hello, World!"))
        assert (result.observation.echoed_message, result.reward) == ("Hello, World!", 1.3)
        assert is_healthy(env.base_url)
    assert not is_healthy(env.base_url)


@pytest.mark.usefixtures("moves")
@pytest.mark.parametrize("name", ["zag", "zag_env", "zag-env", "openenv-zag-env", "zag_env:MoveEnv"])
def test_every_spelling_gives_the_client_of_the_package(name: str) -> None:
    assert type(AutoEnv.from_env(name, "http://localhost:1")).__name__ == "MoveEnv"
    assert AutoEnv.from_hub(name, base_url="http://localhost:1").base_url == "http://localhost:1"
    assert AutoEnv.get_env_class(name).__name__ == "MoveEnv"


def test_a_url_or_skip_install_gives_the_generic_client_sync_and_async() -> None:
    with serving(create_app(EchoEnvironment, EchoAction, EchoObservation)) as url:
        with AutoEnv.from_env(url) as env:
            env.reset()
            assert env.step(GenericAction(message="hi")).observation["echoed_message"] == "hi"

        async def play() -> Any:
            client = AutoEnv.from_env("not_installed", base_url=url, skip_install=True)
            assert type(client) is GenericEnvClient
            async with client as env:
                await env.reset()
                return await env.step({"message": "ho"})

        assert asyncio.run(play()).observation["message_length"] == 2


@pytest.mark.usefixtures("moves", "no_docker")
@pytest.mark.parametrize(
    ("name", "options", "complaint"),
    [
        ("zig", {}, r"no environment 'zig' is installed; did you mean zag_env\?"),
        ("zag", {}, "nothing here serves zag_env: there is no image zag_env-env:latest, and .* no openenv.yaml"),
        ("", {}, "'' names no environment"),
        ("a/b/c", {}, "'a/b/c' names no environment"),
        (":MoveEnv", {}, "':MoveEnv' names no environment"),
        ("zag:Gone", {"base_url": "http://x"}, "has no EnvClient 'Gone'; it has: MoveEnv"),
        ("http://a", {"base_url": "http://b"}, "said to be at http://a and at http://b"),
        ("zag", {"base_url": "http://b", "env_vars": {}}, "nothing is started .* leave out env_vars"),
        ("http://b", {"docker_image": "x", "container_provider": 1}, "leave out docker_image, container_provider"),
        ("zag", {"skip_install": True}, "give base_url or docker_image"),
        ("zag", {"container_provider": 5}, "int is no provider: it must have start_container"),
        ("zag", {"container_provider": "cloud"}, "there is no runtime 'cloud'"),
        ("zag", {"docker_image": "x:1", "colour": 1}, "does not take these arguments: .*'colour'"),
    ],
)
def test_what_cannot_be_is_refused(name: str, options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        AutoEnv.from_env(name, **options)


@pytest.mark.usefixtures("moves")
def test_what_is_known_of_what_is_installed() -> None:
    assert AutoEnv.get_env_info("zag") == {
        "name": "zag_env",
        "env_key": "zag_env",
        "package": "openenv-zag-env",
        "version": "1.2",
        "description": "A test.",
        "module": "zag_env",
        "env_class": "MoveEnv",
        "default_image": "zag_env-env:latest",
        "origin": None,
    }
    assert "zag_env" in [each.name for each in AutoEnv.list_environments()]
