"""What the class methods take, and whom they go through; what they start is in tests/test_launch.py."""

import inspect
from typing import Any, Self

import pytest

from openenv import EnvClient
from openenv.errors import ConfigurationError
from tests.support.echo import EchoEnv

URL = "http://localhost:1"


def taken(method: Any) -> list[str]:
    return [str(each).partition(":")[0].partition(" =")[0] for each in inspect.signature(method).parameters.values()]


def test_they_take_what_those_of_openenv_take_in_the_same_order() -> None:
    assert taken(EnvClient.from_docker_image) == ["image", "provider", "**options"]
    assert taken(EnvClient.from_env) == ["repo_id", "use_docker", "provider", "**options"]
    assert taken(EnvClient.from_hub) == ["repo_id", "provider", "**options"]
    keywords = inspect.signature(EnvClient.from_env).parameters
    assert keywords["use_docker"].kind is keywords["provider"].kind is inspect.Parameter.KEYWORD_ONLY


def test_the_older_name_goes_through_the_newer_one() -> None:
    class Asked(EchoEnv):
        @classmethod
        def from_env(cls, repo_id: str, **options: Any) -> Self:
            raise LookupError(repo_id, options)

    with pytest.raises(LookupError) as caught:
        Asked.from_hub("owner/name", tag="v2")
    assert caught.value.args == ("owner/name", {"tag": "v2", "provider": None})


def test_a_vector_or_pool_is_made_of_the_class_and_its_options() -> None:
    envs = EchoEnv.vector([URL, f"{URL}1"], 4, message_timeout_s=3)
    assert envs.num_envs == 4
    envs.close()
    pool = EchoEnv.pool(URL, size=2, message_timeout_s=3)
    assert pool.stats().size == 2
    pool.close()
    with pytest.raises(ConfigurationError, match="mode='none'"):
        EchoEnv.vector(URL, 2, mode="none")
