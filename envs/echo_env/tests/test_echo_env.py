"""Tests of the environment, straight on the object: no server, no network.

Run `pytest` in the environment's folder.
"""

from openenv.testing import check_environment

from echo_env import EchoAction
from echo_env.server import EchoEnvironment


def test_it_keeps_the_rules_of_environments() -> None:
    check_environment(EchoEnvironment, EchoAction)


def test_reset_begins_an_episode() -> None:
    environment = EchoEnvironment()

    observation = environment.reset(episode_id="mine")

    assert not observation.done
    assert environment.state.episode_id == "mine"
    assert environment.state.step_count == 0


def test_step_echoes_the_message() -> None:
    environment = EchoEnvironment()
    environment.reset()

    observation = environment.step(EchoAction(message="Hello, World!"))

    assert observation.echoed_message == "Hello, World!"
    assert observation.message_length == 13
    assert not observation.done


def test_steps_are_counted() -> None:
    environment = EchoEnvironment()
    environment.reset()

    for count in (1, 2, 3):
        observation = environment.step(EchoAction(message="again"))
        assert observation.metadata["step"] == count
        assert environment.state.step_count == count


# Each line is one case: the message, and the reward it must earn. Add yours.
REWARDS = {
    "": 0.0,
    "Hi": 0.2,
    "Hello, World!": 1.3,
}


def test_reward_follows_the_length() -> None:
    environment = EchoEnvironment()
    environment.reset()

    for message, reward in REWARDS.items():
        observation = environment.step(EchoAction(message=message))
        assert observation.reward == reward
