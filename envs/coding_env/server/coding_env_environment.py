"""The environment itself: what happens on a reset and on a step. The code runs in `sandbox.py`."""

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from openenv import Environment, State
from openenv.env import EnvironmentMetadata

if TYPE_CHECKING or "." in (__package__ or ""):  # as part of the package, coding_env.server
    from ..models import CodeAction, CodeObservation
    from .drawing import draw
    from .sandbox import Isolation, Limits, Outcome, Sandbox, chosen_isolation
    from .tasks import TASKS, TaskName
else:  # as part of `server`, by `uvicorn server.app:app`
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from models import CodeAction, CodeObservation
    from server.drawing import draw
    from server.sandbox import Isolation, Limits, Outcome, Sandbox, chosen_isolation
    from server.tasks import TASKS, TaskName

_ENFORCED = {
    Isolation.FULL: "no network, no files of this machine but Python's, no other processes, and all limits",
    Isolation.LIMITS: "limits on time, memory, file size and output; the network and this machine's files are open",
}


class CodingEnvironment(Environment[CodeAction, CodeObservation, State]):
    """Runs Python in a sandbox, and sets tasks whose hidden tests give the reward."""

    # Instances share nothing: each has a sandbox of its own.
    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, isolation: Isolation | None = None, limits: Limits | None = None) -> None:
        super().__init__()
        self._isolation = isolation or chosen_isolation()
        self._limits = limits or Limits()
        self._sandbox: Sandbox | None = None
        self._seed: int | None = None
        self._task = ""
        self._state = State()

    def reset(
        self,
        seed: int | None = None,
        episode_id: str | None = None,
        task: TaskName = "",
        **options: Any,
    ) -> CodeObservation:
        """Begin a new episode, in a sandbox without files and variables.

        Args:
            seed: Of `random` and of Python's hashes, in the sandbox.
            episode_id: Names the episode.
            task: What to write; empty for free play.
        """
        if task and task not in TASKS:
            raise ValueError(f"there is no task {task!r}; there are {', '.join(TASKS)}, and '' for free play")
        self.close()
        self._seed, self._task = seed, task
        self._state = State(episode_id=episode_id or str(uuid4()), step_count=0)
        return CodeObservation(**self._progress(0), reward=0.0, metadata={"isolation": self._isolation.value})

    def step(self, action: CodeAction, timeout_s: float | None = None, **options: Any) -> CodeObservation:
        """Run the code; then, if there is a task, its tests. The reward is the share of them that passed."""
        begun = time.monotonic()
        if self._sandbox is None:  # it takes a moment to begin one, and not every episode has a step
            self._sandbox = Sandbox(self._isolation, self._limits, self._seed)
        self._state.step_count += 1
        # The server gives up on a step, and on its session, at timeout_s; so the sandbox stops before that.
        left = None if timeout_s is None else max(0.1, timeout_s * 0.75 - (time.monotonic() - begun))
        outcome = self._sandbox.run(action.code, left)
        passed = self._passed(self._sandbox) if self._task and not outcome.has_ended else 0
        total = len(TASKS[self._task].cases) if self._task else 0
        return CodeObservation(
            **_shown(outcome),
            **self._progress(passed),
            reward=passed / total if total else 0.0,
            done=total > 0 and passed == total,
        )

    @property
    def state(self) -> State:
        """Which episode this is, and how many steps it has had."""
        return self._state

    def close(self) -> None:
        """End the sandbox, if there is one."""
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None

    def get_metadata(self) -> EnvironmentMetadata:
        """Say what holds the code here."""
        enforced = _ENFORCED[self._isolation]
        return EnvironmentMetadata(
            name="CodingEnvironment",
            description=f"Runs Python, and sets tasks with hidden tests. Enforced here: {enforced}.",
            version="0.1.0",
        )

    def render_web(self, observation: CodeObservation) -> str:
        """Show what was printed, and how it ended."""
        return draw(observation)

    def web_actions(self, observation: CodeObservation) -> list[tuple[str, CodeAction]]:
        """Offer something to begin with."""
        return [(label, CodeAction(code=code)) for label, code in _EXAMPLES.items()]

    def _progress(self, passed: int) -> dict[str, Any]:
        if not self._task:
            return {}
        task = TASKS[self._task]
        return {"prompt": task.prompt, "tests_passed": passed, "tests_total": len(task.cases)}

    def _passed(self, sandbox: Sandbox) -> int:
        """Call the function with each test's arguments, and compare out here, where code cannot reach."""
        task = TASKS[self._task]
        passed = 0
        for arguments, expected in task.cases:
            outcome = sandbox.call(task.function, arguments)
            if outcome.has_ended:
                break  # and the function with it
            passed += outcome.result == json.dumps(expected)
        return passed


def _shown(outcome: Outcome) -> dict[str, Any]:
    fields = ("stdout", "stderr", "exit_code", "exception", "timed_out", "truncated_output")
    return {**{field: getattr(outcome, field) for field in fields}, "interpreter_ended": outcome.has_ended}


_EXAMPLES = {
    "Hello": "print('Hello from', __import__('sys').version)",
    "Remember": "count = globals().get('count', 0) + 1\nprint('step', count, 'of this interpreter')",
    "Fail": "1 / 0",
    "Hang": "while True:\n    pass",
    "Network": "import socket\nsocket.create_connection(('example.com', 443), timeout=2)",
}
