"""The game itself."""

import random
from typing import Optional
from uuid import uuid4

try:
    from openenv.core.env_server.interfaces import Environment
    from openenv.core.env_server.types import EnvironmentMetadata
except ImportError:
    from openenv_core.env_server.interfaces import Environment
    from openenv_core.env_server.types import EnvironmentMetadata

try:
    from ..models import GuessAction, GuessObservation, GuessState
    from .rewards import NarrowingReward
except ImportError:
    from models import GuessAction, GuessObservation, GuessState
    from server.rewards import NarrowingReward


class GuessEnvironment(Environment):
    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, max_tries: int = 7):
        super().__init__(transform=NarrowingReward())
        self._max_tries = max_tries
        self._state = GuessState(episode_id=str(uuid4()), step_count=0)
        self._begin(1, 100)

    def _begin(self, low: int, high: int, seed: Optional[int] = None) -> None:
        self._low, self._high = low, high
        self._number = random.Random(seed).randint(low, high)

    def reset(
        self, low: int = 1, high: int = 100, seed: Optional[int] = None, episode_id: Optional[str] = None
    ) -> GuessObservation:
        if low > high:
            raise ValueError(f"nothing is between {low} and {high}")
        self._state = GuessState(episode_id=episode_id or str(uuid4()), step_count=0)
        self._begin(low, high, seed)
        return self._observe("start", done=False)

    def step(self, action: GuessAction) -> GuessObservation:
        self._state.step_count += 1
        self._state.last = action.number
        if action.number == self._number:
            return self._observe("found", done=True)
        if action.number < self._number:
            self._low = max(self._low, action.number + 1)
        else:
            self._high = min(self._high, action.number - 1)
        hint = "higher" if action.number < self._number else "lower"
        return self._observe(hint, done=self._tries_left() == 0)

    def _tries_left(self) -> int:
        return max(0, self._max_tries - self._state.step_count)

    def _observe(self, hint: str, done: bool) -> GuessObservation:
        return self._apply_transform(
            GuessObservation(hint=hint, low=self._low, high=self._high, tries_left=self._tries_left(), done=done)
        )

    @property
    def state(self) -> GuessState:
        return self._state

    def get_metadata(self) -> EnvironmentMetadata:
        return EnvironmentMetadata(
            name="guess_env",
            description="Find a number by asking whether it is higher or lower",
            version="2.0.1",
            author="A guesser",
        )
