"""The client of the guessing game."""

from typing import Any, Dict

try:
    from openenv.core.client_types import StepResult
    from openenv.core.env_client import EnvClient
except ImportError:
    from openenv_core.client_types import StepResult
    from openenv_core.env_client import EnvClient

try:
    from .models import GuessAction, GuessObservation, GuessState
except ImportError:
    from models import GuessAction, GuessObservation, GuessState


class GuessEnv(EnvClient[GuessAction, GuessObservation, GuessState]):
    """Drives a guessing game that runs elsewhere."""

    def _step_payload(self, action: GuessAction) -> Dict[str, Any]:
        return {"number": action.number}

    def _parse_result(self, payload: Dict[str, Any]) -> StepResult[GuessObservation]:
        data = payload.get("observation", {})
        observation = GuessObservation(
            hint=data.get("hint", "start"),
            low=data.get("low", 1),
            high=data.get("high", 100),
            tries_left=data.get("tries_left", 0),
            done=payload.get("done", False),
            reward=payload.get("reward"),
            metadata=data.get("metadata", {}),
        )
        return StepResult(observation=observation, reward=payload.get("reward"), done=payload.get("done", False))

    def _parse_state(self, payload: Dict[str, Any]) -> GuessState:
        return GuessState(
            episode_id=payload.get("episode_id"), step_count=payload.get("step_count", 0), last=payload.get("last")
        )
