"""`openenv.env.modes`: the two modes, by their names."""

import pytest

from openenv.env.modes import ServerMode
from openenv.errors import ConfigurationError


@pytest.mark.parametrize("given", ["", "both", "simulation,production"])
def test_mode_that_there_is_none_of_is_refused_with_those_that_there_are(given: str) -> None:
    with pytest.raises(ConfigurationError, match=r"Invalid mode: .*'simulation' or 'production'"):
        ServerMode.read(given)


def test_mode_is_read_in_any_case_and_is_text() -> None:
    assert ServerMode.read(" PRODUCTION ") is ServerMode.PRODUCTION
    assert str(ServerMode.SIMULATION) == "simulation"
