"""Rubrics where they are used: in the environments of authors, sync and async, called directly and served."""

import asyncio
import threading
from typing import Any

import pytest

from openenv.client import GenericEnvClient
from openenv.env import Environment
from openenv.env.rubrics import BadScore, Rubric, RubricFailed, Sequential, TrajectoryRubric, WeightedSum
from openenv.errors import EnvironmentFailed, UsageError
from openenv.server import create_app
from openenv.types import Action, Observation, State
from tests.support.serving import serving


class Said(Action):
    text: str = "hello"


class Length(Rubric):
    def forward(self, action: Any, observation: Any) -> float:
        return len(action.text) / 10


class Polite(Rubric):
    def forward(self, action: Any, observation: Any) -> float:
        return float("nan") if action.text == "nan" else float("please" in action.text)


class PoliteAsync(Polite):
    async def forward(self, action: Any, observation: Any) -> float:  # type: ignore[override]
        await asyncio.sleep(0)
        return super().forward(action, observation)


class Style(WeightedSum):
    def __init__(self, polite: Rubric | None = None) -> None:
        super().__init__([Length(), polite or Polite()], [0.5, 0.5])
        self.length, self.polite = self[0], self[1]


class Talk(Environment[Said, Observation, State]):
    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, rubric: Any = None) -> None:
        super().__init__(rubric=rubric)

    def reset(self) -> Observation:
        self._reset_rubric()
        return Observation()

    def step(self, action: Said) -> Observation:
        observation = Observation(done=action.text == "bye")
        observation.reward = self._apply_rubric(action, observation)
        return observation

    @property
    def state(self) -> State:
        return State()


class TalkAsync(Talk):
    BLOCKING = False

    async def reset(self) -> Observation:  # type: ignore[override]
        await self._reset_rubric_async()
        return Observation()

    async def step(self, action: Said) -> Observation:  # type: ignore[override]
        observation = Observation(done=action.text == "bye")
        observation.reward = await self._apply_rubric_async(action, observation)
        return observation


class Bare(Talk):
    def __init__(self) -> None:
        pass  # like many environments, without super().__init__()


class Steps(TrajectoryRubric):
    def score_trajectory(self, trajectory: list[tuple[Any, Any]]) -> float:
        return float(len(trajectory))

    def compute_step_rewards(self) -> list[float]:
        return [1.0] * len(self._trajectory)


def test_without_a_rubric_the_reward_is_0_and_there_are_no_components() -> None:
    for environment in (Talk(), Bare()):
        assert environment.rubric is None
        environment.reset()
        observation = environment.step(Said())
        assert (observation.reward, observation.metadata) == (0.0, {})
    assert asyncio.run(TalkAsync().step(Said())).reward == 0.0
    assert asyncio.run(TalkAsync().reset()).reward is None


def test_each_component_of_the_rubric_is_in_the_metadata_of_the_step() -> None:
    environment = Talk(Style())
    assert isinstance(environment.rubric, Style)
    observation = environment.step(Said(text="please"))
    assert observation.reward == pytest.approx(0.8)
    assert observation.metadata == {"reward_components": {"length": 0.6, "polite": 1.0}}


def test_a_component_that_was_not_called_this_time_is_not_shown_with_an_old_score() -> None:
    environment = Talk(Sequential(Polite(), Length()))
    first, second = environment.step(Said(text="please")), environment.step(Said(text="no"))
    assert first.metadata["reward_components"] == {"rubric_0": 1.0, "rubric_1": 0.6}
    assert second.metadata["reward_components"] == {"rubric_0": 0.0}


def test_an_async_rubric_in_a_sync_step_gives_a_number() -> None:
    observation = Talk(Style(PoliteAsync())).step(Said(text="please"))
    assert observation.reward == pytest.approx(0.8)
    assert observation.metadata["reward_components"] == {"length": 0.6, "polite": 1.0}


def test_an_async_rubric_in_a_sync_step_on_a_loop_is_refused_with_the_remedy() -> None:
    async def on_a_loop() -> None:
        with pytest.raises(UsageError, match=r"make the method async and await self._apply_rubric_async"):
            Talk(Style(PoliteAsync())).step(Said())

    asyncio.run(on_a_loop())


@pytest.mark.parametrize("polite", [Polite(), PoliteAsync()])
def test_an_async_step_takes_either_kind_of_rubric(polite: Rubric) -> None:
    observation: Any = asyncio.run(TalkAsync(Style(polite)).step(Said(text="please")))
    assert observation.reward == pytest.approx(0.8)
    assert observation.metadata["reward_components"] == {"length": 0.6, "polite": 1.0}


def test_the_default_async_step_gives_a_number_on_the_loop() -> None:
    sequential = Talk(Sequential(Length()))
    assert asyncio.run(sequential.step_async(Said(text="please"))).reward == 0.6


def test_a_score_of_nan_is_an_error_that_names_the_component_by_its_path() -> None:
    environment = Talk(Sequential(Length(), Style()))
    with pytest.raises(BadScore, match=r"rubric 'rubric_1.polite' gave nan") as caught:
        environment.step(Said(text="nan"))
    assert caught.value.component == "rubric_1.polite"
    assert environment.step(Said(text="please")).reward == pytest.approx(0.8)


def test_a_total_that_is_nan_is_named_by_the_class_of_the_root() -> None:
    class Total(Style):
        def forward(self, action: Any, observation: Any) -> Any:
            return super().forward(action, observation) * float("inf")

    with pytest.raises(RubricFailed, match="rubric 'Total' gave inf"):
        Talk(Total()).step(Said())


def test_reset_forgets_the_episode_of_a_rubric_anywhere_in_the_tree() -> None:
    environment = Talk(WeightedSum([Steps()], [1.0]))
    for _ in range(2):
        environment.reset()
        assert [environment.step(Said(text=text)).reward for text in ("a", "b", "bye")] == [0, 0, 3]


def test_an_async_reset_of_the_rubrics_own_is_awaited() -> None:
    class Slow(Length):
        resets = 0

        async def reset_async(self) -> None:
            await asyncio.sleep(0)
            self.resets += 1

    rubric = Slow()
    asyncio.run(TalkAsync(rubric).reset())
    assert rubric.resets == 1


def test_anything_that_is_called_like_a_rubric_will_do() -> None:
    class Fallback:
        def __call__(self, action: Any, observation: Any) -> float:
            return 0.5

        def reset(self) -> None:
            pass

    environment = Talk(Fallback())
    environment.reset()
    observation = environment.step(Said())
    assert (observation.reward, observation.metadata) == (0.5, {})


def test_environments_in_threads_keep_their_episodes_apart() -> None:
    barrier = threading.Barrier(4)
    found: dict[int, Any] = {}

    def play(number: int) -> None:
        environment = Talk(WeightedSum([Steps(), Length()], [0.5, 0.5]))
        environment.reset()
        barrier.wait()
        texts = ["x" * number] * number + ["bye"]
        found[number] = [environment.step(Said(text=text)) for text in texts][-1].metadata["reward_components"]

    threads = [threading.Thread(target=play, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: {"rubric_0": number + 1.0, "rubric_1": 0.3} for number in range(4)}


@pytest.mark.parametrize("environment", [Talk, TalkAsync])
@pytest.mark.parametrize("polite", [Polite, PoliteAsync])
def test_a_client_sees_reward_and_components_and_the_name_of_what_failed(environment: Any, polite: Any) -> None:
    def make() -> Any:
        return environment(Style(polite()))

    with serving(create_app(make, Said, Observation)) as url, GenericEnvClient(base_url=url) as client:
        client.reset()
        result = client.step({"text": "please"})
        assert result.reward == pytest.approx(0.8)
        assert result.metadata == {"reward_components": {"length": 0.6, "polite": 1.0}}
        with pytest.raises(EnvironmentFailed, match=r"BadScore: rubric 'polite' gave nan"):
            client.step({"text": "nan"})
        assert client.step({"text": "please"}).reward == pytest.approx(0.8)
