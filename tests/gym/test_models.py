"""Models are made from spaces, once for environments that are alike, and can be sent to other processes."""

import pickle
from typing import Any

import gymnasium
import pytest

from openenv.errors import ConfigurationError
from openenv.gym.models import BESIDE, ENVIRONMENT_KEY, GymAction, gives_frames, models_of
from tests.gym.flocks import Flock, Mute
from tests.gym.worlds import Mixed


def test_environments_that_are_alike_share_their_models() -> None:
    assert models_of(Mixed()) is models_of(Mixed())
    assert models_of(Mixed("ansi")) is not models_of(Mixed())


def test_observation_says_which_environment_it_is_of() -> None:
    env = gymnasium.make("Mixed-v0", render_mode="ansi")
    schema = models_of(env).observation.model_json_schema()
    assert schema[ENVIRONMENT_KEY] == {
        "id": "Mixed-v0", "nondeterministic": False, "render_mode": "ansi", "render_fps": 7
    }  # fmt: skip
    assert schema["required"] == ["observation"]


def test_action_class_can_be_sent_to_another_process() -> None:
    made = models_of(Mixed()).action
    arrived = pickle.loads(pickle.dumps(made))
    assert arrived.model_json_schema() == made.model_json_schema()
    assert arrived.model_validate({"action": [1, [0, 0]]}).action[0] == 1
    assert pickle.loads(pickle.dumps(GymAction)) is GymAction


def test_models_of_a_vector_have_three_arrays_beside_its_observation() -> None:
    models = models_of(Flock(3))
    assert models_of(Flock(3)) is models
    assert models_of(Flock(2)) is not models
    assert set(models.observation.model_fields) >= {"observation", *BESIDE}
    arrived = pickle.loads(pickle.dumps(models.action))
    assert arrived.model_validate({"action": [1, 2, 3]}).action.tolist() == [1, 2, 3]
    assert models.observation.model_json_schema()[ENVIRONMENT_KEY]["vector"]["autoreset_mode"] == "SameStep"
    assert models_of(Mute()).observation.about["vector"]["autoreset_mode"] is None


def test_environment_without_spaces_is_refused() -> None:
    class Bare(gymnasium.Env[Any, Any]):
        pass

    with pytest.raises(ConfigurationError, match="declares no action_space or no observation_space"):
        models_of(Bare())


@pytest.mark.parametrize(("mode", "gives"), [(None, False), ("rgb_array", True), ("ansi", True), ("human", False)])
def test_frames_come_of_pictures_and_text(mode: str | None, gives: bool) -> None:
    assert gives_frames(Mixed(mode)) is gives
