"""The environment most tests serve, and variants of it that misbehave on request."""

import asyncio
import threading
import uuid
from typing import Any

from openenv import Action, EnvClient, Environment, Observation, State


class EchoAction(Action):
    message: str


class EchoObservation(Observation):
    echoed_message: str = ""
    message_length: int = 0


class EchoEnv(EnvClient[EchoAction, EchoObservation, State]):
    """The client of all of them."""


class EchoEnvironment(Environment[EchoAction, EchoObservation, State]):
    """Echoes messages; runs inline."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    BLOCKING = False

    def __init__(self) -> None:
        self._state = State(episode_id=str(uuid.uuid4()))

    def reset(self, seed: int | None = None, episode_id: str | None = None, **options: Any) -> EchoObservation:
        self._state = State(episode_id=episode_id or str(uuid.uuid4()))
        return EchoObservation(echoed_message="ready", reward=0.0)

    def step(self, action: EchoAction, timeout_s: float | None = None, **options: Any) -> EchoObservation:
        return self._echo(action.message)

    @property
    def state(self) -> State:
        return self._state

    def _echo(self, message: str) -> EchoObservation:
        self._state.step_count += 1
        metadata = {"step": self._state.step_count}
        return EchoObservation(
            echoed_message=message, message_length=len(message), reward=round(len(message) * 0.1, 10), metadata=metadata
        )


class VerboseEcho(EchoEnvironment):
    """Says a thousand times what it heard; requests as large as their replies would wait for each other."""

    def step(self, action: EchoAction, timeout_s: float | None = None, **options: Any) -> EchoObservation:
        return self._echo(action.message * 1_000)


class ThreadedEcho(EchoEnvironment):
    """The same, declared blocking: `sleep 0.5` sleeps, `raise` raises, `exit` exits, `wait` waits for `gate`."""

    BLOCKING = True
    gate = threading.Event()
    entered = threading.Event()

    def step(self, action: EchoAction, timeout_s: float | None = None, **options: Any) -> EchoObservation:
        match action.message.split():
            case ["sleep", seconds]:
                threading.Event().wait(float(seconds))
            case ["raise"]:
                raise ValueError("asked to")
            case ["exit"]:
                raise SystemExit(3)
            case ["wait"]:
                self.entered.set()
                self.gate.wait(10)
        return self._echo(action.message)


class AsyncEcho(EchoEnvironment):
    """The same, async: `sleep 0.5` sleeps, `raise` raises."""

    BLOCKING = True

    async def reset(self, **options: Any) -> EchoObservation:  # type: ignore[override]
        return super().reset(**options)

    async def step(self, action: EchoAction) -> EchoObservation:  # type: ignore[override]
        match action.message.split():
            case ["sleep", seconds]:
                await asyncio.sleep(float(seconds))
            case ["raise"]:
                raise ValueError("asked to")
        return self._echo(action.message)
