"""Environments that each break one rule, and what they share with one that breaks none."""

import random
import threading
import uuid
from typing import Any

from pydantic import BaseModel, ConfigDict

from openenv import Environment, State
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation


class NanReward(EchoEnvironment):
    def step(self, action: EchoAction, **options: Any) -> EchoObservation:  # type: ignore[override]
        return super().step(action).model_copy(update={"reward": float("nan")})


class NanFirstReward(EchoEnvironment):
    def reset(self, **options: Any) -> EchoObservation:  # type: ignore[override]
        return super().reset(**options).model_copy(update={"reward": float("inf")})


class TextReward(EchoEnvironment):
    def step(self, action: EchoAction, **options: Any) -> EchoObservation:  # type: ignore[override]
        return super().step(action).model_copy(update={"reward": "a lot"})


class DishonestObservation(EchoEnvironment):
    def step(self, action: EchoAction, **options: Any) -> EchoObservation:  # type: ignore[override]
        return super().step(action).model_copy(update={"message_length": "long"})


class CountingState(State):
    lives: int = 3


class DishonestState(EchoEnvironment):
    @property
    def state(self) -> CountingState:
        return CountingState(**self._state.model_dump()).model_copy(update={"lives": "three"})


class Forgetful(EchoEnvironment):
    """Names its episodes itself."""

    def reset(self, **options: Any) -> EchoObservation:  # type: ignore[override]
        return super().reset(episode_id=str(uuid.uuid4()))


class Uncounted(EchoEnvironment):
    def step(self, action: EchoAction, **options: Any) -> EchoObservation:  # type: ignore[override]
        observation = super().step(action)
        self._state.step_count = 0
        return observation


class NeverAnew(EchoEnvironment):
    """Does not begin anew in a reset."""

    def reset(self, episode_id: str | None = None, **options: Any) -> EchoObservation:  # type: ignore[override]
        self._state.episode_id = episode_id
        return EchoObservation(reward=0.0)


class Random(EchoEnvironment):
    def step(self, action: EchoAction, **options: Any) -> EchoObservation:  # type: ignore[override]
        return super().step(action).model_copy(update={"reward": random.random()})


class Sharing(EchoEnvironment):
    """Promises to share nothing, and keeps its episode in the class."""

    shared = State()

    def reset(self, episode_id: str | None = None, **options: Any) -> EchoObservation:  # type: ignore[override]
        type(self).shared = State(episode_id=episode_id)
        return EchoObservation(reward=0.0)

    def step(self, action: EchoAction, **options: Any) -> EchoObservation:  # type: ignore[override]
        self.shared.step_count += 1
        return EchoObservation(echoed_message=action.message, message_length=self.shared.step_count)

    @property
    def state(self) -> State:
        return self.shared


class SharingUnseen(Sharing):
    """The same, with a state that tells nothing."""

    @property
    def state(self) -> State:
        return State()


class SharingByChance(SharingUnseen):
    """And with observations that tell nothing either."""

    def step(self, action: EchoAction, **options: Any) -> EchoObservation:  # type: ignore[override]
        return EchoObservation(message_length=random.randrange(10**9))


class HoldingOn(EchoEnvironment):
    """Does not come to an end of closing."""

    BLOCKING = True
    gate = threading.Event()

    def close(self) -> None:
        self.gate.wait(60)


class RaisingOnClose(EchoEnvironment):
    def close(self) -> None:
        raise OSError("the door is stuck")


class Hanging(EchoEnvironment):
    """Hangs in its steps."""

    BLOCKING = True
    gate = threading.Event()

    def step(self, action: EchoAction, **options: Any) -> EchoObservation:  # type: ignore[override]
        self.gate.wait(60)
        return super().step(action)


class Unwilling(EchoEnvironment):
    """Takes no action."""

    def step(self, action: EchoAction, **options: Any) -> EchoObservation:  # type: ignore[override]
        raise ValueError("not this one")


class AnythingGoes(BaseModel):
    model_config = ConfigDict(extra="allow")


class Credulous(Environment[Any, EchoObservation, State]):
    """Its actions are checked by nobody."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        self._inner = EchoEnvironment()

    def reset(self, **options: Any) -> EchoObservation:
        return self._inner.reset(**options)

    def step(self, action: Any) -> EchoObservation:
        return self._inner.step(EchoAction(message="hi"))

    @property
    def state(self) -> State:
        return self._inner.state


class OneByOne(EchoEnvironment):
    """Promises one session at a time, and needs that."""

    SUPPORTS_CONCURRENT_SESSIONS = False
