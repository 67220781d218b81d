"""echo_env over a live server: the reference for every client."""

from echo_env import EchoAction, EchoEnv

ENVIRONMENT = "echo_env"


def test_it_is_what_the_scaffold_promises(url: str) -> None:
    with EchoEnv(url) as env:
        first = env.reset(episode_id="mine")
        assert (first.observation.echoed_message, first.done) == ("Echo environment is ready!", False)
        for count, (message, reward) in enumerate(
            {"": 0.0, "Hi": 0.2, "Hello, World!": 1.3, "ü🧍": 0.2}.items(), start=1
        ):
            result = env.step(EchoAction(message=message))
            assert (result.observation.echoed_message, result.observation.message_length) == (message, len(message))
            assert (result.reward, result.done) == (reward, False)
            assert result.metadata == {"step": count, "original_message": message}
        state = env.state()
        assert (state.episode_id, state.step_count) == ("mine", 4)


def test_many_are_stepped_at_once(url: str) -> None:
    with EchoEnv.vector(url, num_envs=8) as envs:
        envs.reset()
        results = envs.step([EchoAction(message="x" * number) for number in range(8)])
        assert [result.observation.message_length for result in results] == list(range(8))
