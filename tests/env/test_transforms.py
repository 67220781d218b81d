"""`openenv.env.transforms`: classes for those who want one, and any callable for the others."""

from typing import Any

import pytest

from openenv.env import CompositeTransform, NullTransform, Transform
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation


class Bonus(Transform[EchoObservation]):
    """Adds to the reward."""

    def __init__(self, bonus: float) -> None:
        self.bonus = bonus

    def __call__(self, observation: EchoObservation) -> EchoObservation:
        return observation.model_copy(update={"reward": (observation.reward or 0) + self.bonus})


class Transformed(EchoEnvironment):
    def __init__(self, transform: Any) -> None:
        super().__init__()
        self.transform = transform

    def step(self, action: EchoAction, timeout_s: float | None = None, **options: Any) -> EchoObservation:
        return self._apply_transform(super().step(action))


def test_class_that_does_not_say_how_cannot_be_made() -> None:
    class Silent(Transform[Any]):
        pass

    with pytest.raises(TypeError, match="abstract"):
        Silent()  # type: ignore[abstract]


@pytest.mark.parametrize(
    ("transform", "reward"),
    [
        (None, 0.2),
        (NullTransform(), 0.2),
        (Bonus(1), 1.2),
        (CompositeTransform([]), 0.2),
        (CompositeTransform([Bonus(1), NullTransform(), Bonus(2)]), 3.2),
        (CompositeTransform([Bonus(1), lambda seen: seen.model_copy(update={"reward": seen.reward * 2})]), 2.4),
    ],
)
def test_environment_passes_its_observations_through(transform: Any, reward: float) -> None:
    assert Transformed(transform).step(EchoAction(message="Hi")).reward == pytest.approx(reward)


def test_composite_is_a_transform_and_keeps_its_order() -> None:
    first, second = Bonus(1), NullTransform()
    composite = CompositeTransform([first, second])
    assert isinstance(composite, Transform)
    assert composite.transforms == (first, second)
