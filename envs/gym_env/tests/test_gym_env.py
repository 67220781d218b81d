"""Tests of what is chosen by which variables: no server, no network.

Run `pytest` in the environment's folder.
"""

import pytest
from openenv.errors import ConfigurationError

from gym_env.server import Choice


def test_without_a_variable_it_is_one_that_needs_nothing_and_shows_itself() -> None:
    assert Choice.of({}) == Choice("CliffWalking-v1", {"render_mode": "ansi"})
    assert Choice.of({"GYM_ENV_ID": "", "GYM_ENV_KWARGS": "", "GYM_NUM_ENVS": ""}) == Choice.of({})
    slippery = Choice.of({"GYM_ENV_KWARGS": '{"is_slippery": true}'})
    assert slippery == Choice("CliffWalking-v1", {"render_mode": "ansi", "is_slippery": True})


def test_an_id_gets_the_arguments_it_was_given_and_no_others() -> None:
    assert Choice.of({"GYM_ENV_ID": "CartPole-v1"}) == Choice("CartPole-v1", {})
    chosen = {"GYM_ENV_ID": "FrozenLake-v1", "GYM_ENV_KWARGS": '{"map_name": "8x8"}', "GYM_NUM_ENVS": "3"}
    assert Choice.of(chosen) == Choice("FrozenLake-v1", {"map_name": "8x8"}, 3)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"GYM_ENV_KWARGS": "{render_mode: ansi}"}, "GYM_ENV_KWARGS is '{render_mode: ansi}', which is not JSON"),
        ({"GYM_ENV_KWARGS": "[" * 100_000}, "[[[', which is not JSON"),
        ({"GYM_ENV_KWARGS": '["ansi"]'}, "write an object, like"),
        ({"GYM_NUM_ENVS": "0"}, "GYM_NUM_ENVS is '0'; it is a number of 1 or more"),
        ({"GYM_NUM_ENVS": "many"}, "GYM_NUM_ENVS is 'many'"),
        ({"GYM_NUM_ENVS": "²"}, "GYM_NUM_ENVS is '²'"),
    ],
)
def test_a_variable_that_makes_no_sense_is_named(variables: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        Choice.of(variables)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"GYM_ENV_ID": "Chess-v7"}, "Gymnasium cannot make 'Chess-v7': Environment `Chess` doesn't exist"),
        ({"GYM_ENV_ID": "CartPole-v9"}, "Gymnasium cannot make 'CartPole-v9'"),
        ({"GYM_ENV_ID": "no_such_module:Env-v0"}, "there is no module 'no_such_module'; is it installed?"),
        (
            {"GYM_ENV_ID": "CartPole-v1", "GYM_ENV_KWARGS": '{"gravity": 1}'},
            'CartPole-v1 cannot be made with the arguments {"gravity": 1} of GYM_ENV_KWARGS',
        ),
    ],
)
def test_what_cannot_be_made_is_an_error_before_anything_is_served(variables: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        Choice.of(variables).app()
    assert said in str(error.value)
