"""Environments that can be saved: dice, whose random numbers are part of the state, and which misbehave on request."""

import random
import threading
from typing import Any, ClassVar

from openenv import Action, EnvClient, Environment, Observation, State

__all__ = ["AsyncDice", "Dice", "DiceEnv", "OtherDice", "Roll", "Rolled", "ThreadedDice"]


class Roll(Action):
    mood: str | None = None
    """What happens to snapshots from now on; see `Dice`."""


class Rolled(Observation):
    value: int = 0
    total: int = 0


class DiceEnv(EnvClient[Roll, Rolled, State]):
    """The client of all of them."""


class Dice(Environment[Roll, Rolled, State]):
    """Throws dice; runs inline.

    Its moods: `locked` has something that cannot be pickled, `large` has twenty megabytes, `raise` raises when it is
    saved, `exit` exits then, `break` raises when what was saved is restored, `wait` waits for the `gate` when it is
    restored.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False
    SNAPSHOT_BY_PICKLE = True

    gate: ClassVar[threading.Event] = threading.Event()
    entered: ClassVar[threading.Event] = threading.Event()
    saved: ClassVar[list[threading.Thread]] = []
    """Where each snapshot was taken."""

    def __init__(self) -> None:
        self.random = random.Random(0)
        self.total = 0
        self.mood = ""
        self.cargo: Any = None
        self._state = State()

    def reset(self, seed: int | None = None) -> Rolled:
        self.random.seed(seed)
        self.total = 0
        self._state = State()
        return Rolled()

    def step(self, action: Roll) -> Rolled:
        if action.mood is not None:
            self.mood = action.mood
            self.cargo = {"locked": threading.Lock(), "large": bytes(20_000_000)}.get(action.mood)
        value = self.random.randrange(1_000_000)
        self.total += value
        self._state.step_count += 1
        return Rolled(value=value, total=self.total, reward=float(value))

    @property
    def state(self) -> State:
        return self._state

    def snapshot(self) -> bytes:
        self.saved.append(threading.current_thread())
        if self.mood == "raise":
            raise ValueError("no film")
        if self.mood == "exit":
            raise SystemExit(3)
        saved: bytes = super().snapshot()
        return saved

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        if self.mood == "break":
            raise ValueError("half way")
        if self.mood == "wait":
            self.entered.set()
            assert self.gate.wait(10), "nobody opened the gate"


class OtherDice(Dice):
    """The same under another name."""


class ThreadedDice(Dice):
    """The same on a thread of its own."""

    BLOCKING = True


class AsyncDice(Dice):
    """The same, async."""

    BLOCKING = True

    async def reset(self, seed: int | None = None) -> Rolled:  # type: ignore[override]
        return super().reset(seed)

    async def step(self, action: Roll) -> Rolled:  # type: ignore[override]
        return super().step(action)

    async def snapshot(self) -> bytes:  # type: ignore[override]
        return super().snapshot()

    async def restore(self, data: bytes) -> None:
        super().restore(data)
