"""What an author gets for free, and what he must write."""

import asyncio
import inspect
from typing import Any

import pytest

from openenv.env import CompositeTransform, Environment, EnvironmentMetadata
from openenv.types import Action, Observation, State


class Bare(Environment[Action, Observation, State]):
    """Counts
    steps.

    Not part of the description.
    """

    def __init__(self) -> None:  # like many environments, without super().__init__()
        self._state = State()

    def reset(self) -> Observation:
        return self._apply_transform(Observation(reward=1.0))

    def step(self, action: Action) -> Observation:
        self._state.step_count += 1
        return self._apply_transform(Observation(reward=float(self._state.step_count)))

    @property
    def state(self) -> State:
        return self._state


class Doubling(Bare):
    def __init__(self) -> None:
        Environment.__init__(self, transform=CompositeTransform([double, double]))
        self._state = State()


def double(observation: Any) -> Any:
    return observation.model_copy(update={"reward": observation.reward * 2})


@pytest.mark.parametrize("missing", ["reset", "step", "state"])
def test_reset_step_and_state_must_be_written(missing: str) -> None:
    incomplete = type("Incomplete", (Bare,), {missing: getattr(Environment, missing)})
    assert inspect.isabstract(incomplete)


def test_an_environment_need_not_call_the_constructor_of_the_base() -> None:
    environment = Bare()
    assert environment.transform is None
    assert environment.reset().reward == 1.0
    assert environment.close() is None


def test_a_transform_reshapes_observations_first_to_last() -> None:
    assert Doubling().reset().reward == 4.0
    add = CompositeTransform([double, lambda seen: seen.model_copy(update={"reward": seen.reward + 1})])
    assert add(Observation(reward=3.0)).reward == 7.0


def test_the_async_forms_call_the_plain_ones_sync_or_not() -> None:
    class Awaited(Bare):
        async def step(self, action: Action) -> Observation:  # type: ignore[override]
            return super().step(action)

    async def play(environment: Bare) -> list[Any]:
        return [(await environment.reset_async()).reward, (await environment.step_async(Action())).reward]

    assert asyncio.run(play(Bare())) == asyncio.run(play(Awaited())) == [1.0, 1.0]


def test_a_class_is_described_by_its_name_and_the_first_paragraph_of_its_docstring() -> None:
    described = EnvironmentMetadata(name="Bare", description="Counts steps.", version="1.0.0")
    assert Bare().get_metadata() == described
    assert Doubling().get_metadata().description == ""


def test_an_environment_shows_nothing_unasked() -> None:
    assert (Bare().render_web(Observation()), Bare().web_actions(Observation())) == (None, [])


def test_an_environment_promises_nothing_unasked() -> None:
    assert (Bare.SUPPORTS_CONCURRENT_SESSIONS, Bare.REQUIRES_SINGLE_THREAD_EXECUTOR, Bare.BLOCKING) == (
        False,
        False,
        True,
    )
