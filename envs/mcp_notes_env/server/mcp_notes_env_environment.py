"""The environment itself: what happens on a reset and on a step. The tools are in `desk.py`, the requests in `tasks.py`."""

import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from fastmcp import FastMCP
from openenv import Observation
from openenv.env.mcp import MCPEnvironment

if TYPE_CHECKING or "." in (__package__ or ""):  # as part of the package, mcp_notes_env.server
    from ..models import CallToolAction, Level, McpNotesState, McpNotesTask
    from .desk import TOOLS, Desk
    from .drawing import draw
    from .rewards import Outcome, score
    from .tasks import LEVELS
else:  # as part of `server`, by `uvicorn server.app:app`
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from models import CallToolAction, Level, McpNotesState, McpNotesTask
    from server.desk import TOOLS, Desk
    from server.drawing import draw
    from server.rewards import Outcome, score
    from server.tasks import LEVELS

_SERVER: "FastMCP[Any]" = FastMCP("notes")
"""Has no tools itself: those of each environment are for its own notebook."""


class McpNotesEnvironment(MCPEnvironment):
    """Notes in a database: find, merge, tag and delete them by MCP tools, as the user asks, and leave the rest alone."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        self._desk = Desk()
        for name in TOOLS:
            self.tool()(getattr(self._desk, name))
        self.tool(mode="simulation")(self._desk.submit_answer)
        super().__init__(_SERVER, rubric=Outcome(self._desk))

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, level: Level = "easy", **options: Any
    ) -> McpNotesTask:
        """Begin a new episode.

        Args:
            seed: The same seed and level make the same notes and the same request.
            episode_id: Names the episode.
            level: How much is asked, and among how many notes.
        """
        if level not in LEVELS:
            raise ValueError(f"there is no level {level!r}; there are {', '.join(LEVELS)}")
        self._reset_rubric()
        made = random.randrange(2**31) if seed is None else seed  # told in the state, so that it can be had again
        self._desk.begin(level, made, episode_id or str(uuid4()))
        state = self._desk.state
        return McpNotesTask(prompt=state.prompt, step_limit=state.step_limit or 0, reward=0.0)

    async def step_async(self, action: Any, timeout_s: float | None = None, **options: Any) -> Any:
        """Call a tool, which counts, whatever comes of it; or list them, which does not."""
        if isinstance(action, CallToolAction):
            self._desk.admit()
        observation = await super().step_async(action, timeout_s=timeout_s, **options)
        observation.done, observation.truncated = self._desk.is_over, self._desk.is_cut_short
        return observation

    async def handle_json_rpc(self, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """Answer a client of MCP; the tools that it calls count as those of steps do."""
        if request.get("method") == "tools/call":
            self._desk.admit()
        return await super().handle_json_rpc(request)

    @property
    def state(self) -> McpNotesState:
        """How the episode stands, and once it is over what it has earned."""
        earned = score(self._desk) if self._desk.is_over else None
        return self._desk.state.model_copy(update={"notes": len(self._desk.book), "score": earned})

    def snapshot(self) -> bytes:
        """Give the episode and its database."""
        return self._desk.dump()

    def restore(self, data: bytes) -> None:
        """Take over what `snapshot` gave."""
        self._desk.load(data)

    def close(self) -> None:
        """Let go of the database too."""
        super().close()
        self._desk.close()

    def render_web(self, observation: Observation) -> str:
        """Draw the notes, and what the latest call gave."""
        return draw(self._desk, observation)

    def web_actions(self, observation: Observation) -> list[tuple[str, CallToolAction]]:
        """Offer the tools that need no arguments; those that do are forms of their own."""
        offered = {} if self._desk.is_over else {"All notes": "search_notes", "All tags": "list_tags"}
        return [(label, CallToolAction(tool_name=name)) for label, name in offered.items()]
