"""An environment that answers with what breaks pages: scripts, misleading characters, and far too much."""

from typing import Any

from openenv import Observation
from tests.support.echo import EchoAction, EchoEnvironment

__all__ = ["SCRIPT", "Hostile", "HostileObservation"]

SCRIPT = "<script>window.owned = 1</script><img src=x onerror='window.owned = 1'>"


class HostileObservation(Observation):
    """Anything."""

    anything: Any = None


def _nested(depth: int) -> Any:
    value: Any = "bottom"
    for _ in range(depth):
        value = [value]
    return value


class Hostile(EchoEnvironment):
    """Answers with what breaks pages."""

    def reset(self, seed: int | None = None, episode_id: str | None = None, **options: Any) -> Any:
        return HostileObservation(anything=SCRIPT, metadata={SCRIPT: SCRIPT, "__proto__": {"owned": 1}})

    def step(self, action: EchoAction, timeout_s: float | None = None, **options: Any) -> Any:
        self._state.step_count += 1
        answers = {
            "long": "<b>" + "x" * 5_000_000,
            "bidi": "safe\u202egnp.exe\u2066\u0007\u0000",
            "deep": _nested(200),
            "wide": list(range(100_000)),
            "keys": {"__proto__": {"owned": 1}, "constructor": {"owned": 1}, SCRIPT: 1},
        }
        return HostileObservation(anything=answers.get(action.message, SCRIPT))
