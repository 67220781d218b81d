"""`AutoAction`: which class it gives, and what it says of it."""

from typing import Any

import pytest

from openenv import AutoAction, AutoEnv, GenericAction
from openenv.errors import ConfigurationError


@pytest.mark.usefixtures("moves")
def test_the_action_class_is_the_one_that_the_client_takes() -> None:
    assert AutoAction.from_env("zag")(text="x").text == "x"
    assert AutoAction.from_hub("zag:MoveAction") is AutoAction.from_env("zag-env")
    told = AutoAction.get_action_info("zag")
    assert (told["name"], told["action_class"], told["module"]) == ("zag_env", "MoveAction", "zag_env.models")
    assert "text" in told["schema"]["properties"]
    assert AutoAction.list_actions() == AutoEnv.list_environments()


@pytest.mark.parametrize("name", ["zag", "nobody_has_this", "owner/name"])
def test_without_code_of_the_environment_an_action_is_a_dict(name: str) -> None:
    assert AutoAction.from_env(name, skip_install=True) is GenericAction
    assert AutoAction.from_env("http://localhost:8000") is GenericAction


@pytest.mark.parametrize("call", [AutoEnv.get_env_class, AutoEnv.get_env_info, AutoAction.get_action_info])
def test_a_url_has_no_classes(call: Any) -> None:
    with pytest.raises(ConfigurationError, match="does not say which classes"):
        call("http://localhost:8000")
    with pytest.raises(ConfigurationError, match="no environment 'nobody_has_this' is installed"):
        call("nobody_has_this")
