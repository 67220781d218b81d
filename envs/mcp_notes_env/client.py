"""The client: how a program drives this environment on a server."""

from typing import Any

from openenv import Observation, StepResult
from openenv.client import GenericMCPObservation, MCPToolClient

from .models import Level, McpNotesState, McpNotesTask


class McpNotesEnv(MCPToolClient):
    """Drives the Mcp Notes environment, one episode at a time: `list_tools`, `call_tool`, and `step` for rewards."""

    def reset(  # type: ignore[override]  # what it observes is known more closely
        self, *, seed: int | None = None, level: Level = "easy", timeout_s: float | None = None, **options: Any
    ) -> StepResult[McpNotesTask]:
        """Begin an episode; a coroutine if the client is asynchronous. Raises as `EnvClient.reset` does.

        Args:
            seed: The same seed and level make the same notes and the same request.
            level: How much is asked, and among how many notes.
            timeout_s: Seconds the reset may take; past it the session is lost.
            options: `episode_id`.
        """
        result: Any = super().reset(timeout_s=timeout_s, seed=seed, level=level, **options)
        return result  # type: ignore[no-any-return]  # its observation is made below

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[Observation]:
        result = super()._parse_result(payload)
        if isinstance(result.observation, GenericMCPObservation):  # neither a call of a tool, nor a list of them
            result.observation = McpNotesTask.model_validate(result.observation.model_dump())
        return result

    def _parse_state(self, payload: dict[str, Any]) -> McpNotesState:
        return McpNotesState.model_validate(payload)
