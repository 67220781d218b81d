"""What a server shows of an observation, taken out of its reply."""

from typing import Any

import pytest

from openenv.errors import EnvironmentFailed, UsageError
from openenv.gym.client import GymClient, view_of
from openenv.protocol import Fault, ViewIs
from tests.gym.conftest import Serve
from tests.gym.worlds import Mixed


@pytest.mark.parametrize("view", [{"html": None, "actions": []}, {}, None, {"html": 3}])
def test_nothing_to_show_is_a_mistake_of_the_caller(view: Any) -> None:
    with pytest.raises(UsageError, match=r"call reset\(\) first"):
        view_of(ViewIs(view))


def test_fault_is_raised() -> None:
    with pytest.raises(EnvironmentFailed, match="no screen"):
        view_of(Fault("EXECUTION_ERROR", "no screen"))


def test_view_is_what_the_environment_draws(serve: Serve) -> None:
    url = serve(Mixed, {"render_mode": "ansi"})
    with GymClient(url) as client:
        client.reset()
        assert client.view() == "<pre>a &lt;b&gt;\n&amp; c</pre>"
