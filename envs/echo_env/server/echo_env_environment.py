"""The environment itself: what happens on a reset and on a step.

It needs no server, and run as a file it checks itself:

    python3 server/echo_env_environment.py
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from openenv import Environment, State

if TYPE_CHECKING or "." in (__package__ or ""):  # as part of the package, echo_env.server
    from ..models import EchoAction, EchoObservation
else:  # as part of `server`, by `uvicorn server.app:app`, or run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from models import EchoAction, EchoObservation


class EchoEnvironment(Environment[EchoAction, EchoObservation, State]):
    """Echoes every message back, and rewards long ones."""

    # Instances share nothing, so one server may hold many, a session each.
    SUPPORTS_CONCURRENT_SESSIONS = True

    # Every call takes microseconds. Remove this line when yours read files, ask the network or
    # compute for long: each session then gets a thread of its own.
    BLOCKING = False

    def __init__(self) -> None:
        super().__init__()
        self._state = State(episode_id=str(uuid4()), step_count=0)

    def reset(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        **options: Any,
    ) -> EchoObservation:
        """Begin a new episode."""
        self._state = State(episode_id=episode_id or str(uuid4()), step_count=0)
        return EchoObservation(
            echoed_message="Echo environment is ready!",
            reward=0.0,
        )

    def step(
        self,
        action: EchoAction,
        timeout_s: float | None = None,
        **options: Any,
    ) -> EchoObservation:
        """Echo the message; the reward is a tenth for each of its characters."""
        self._state.step_count += 1
        length = len(action.message)
        return EchoObservation(
            echoed_message=action.message,
            message_length=length,
            reward=length / 10,
            done=False,
            metadata={
                "step": self._state.step_count,
                "original_message": action.message,
            },
        )

    @property
    def state(self) -> State:
        """Which episode this is, and how many steps it has had."""
        return self._state


def main() -> int:
    """Play a short episode and say what works; the exit code is 1 when something does not."""
    environment = EchoEnvironment()

    ready = environment.reset(episode_id="first")
    at_first = environment.state.model_copy()

    hello = environment.step(EchoAction(message="Hello, World!"))
    hi = environment.step(EchoAction(message="Hi"))
    nothing = environment.step(EchoAction(message=""))
    after_steps = environment.state.model_copy()

    environment.reset()
    after_reset = environment.state.model_copy()

    checks = {
        "reset: an episode begins anew and is not done": [
            not ready.done,
            after_reset.step_count == 0,
            after_reset.episode_id != at_first.episode_id,
        ],
        "step: the message comes back with its length": [
            hello.echoed_message == "Hello, World!",
            hello.message_length == 13,
            not hello.done,
        ],
        "state: the steps of an episode are counted, and it keeps its name": [
            (at_first.step_count, after_steps.step_count) == (0, 3),
            [hello.metadata["step"], hi.metadata["step"], nothing.metadata["step"]] == [1, 2, 3],
            at_first.episode_id == after_steps.episode_id == "first",
        ],
        "rewards: 1.3 for 'Hello, World!', 0.2 for 'Hi', 0.0 for nothing": [
            hello.reward == 1.3,
            hi.reward == 0.2,
            nothing.reward == 0.0,
        ],
    }
    for check, results in checks.items():
        print("ok  " if all(results) else "FAIL", check)
    return 0 if all(all(results) for results in checks.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
