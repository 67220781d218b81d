"""The accounts, and the tools that keep them."""

from typing import Any, Dict, Optional
from uuid import uuid4

try:
    from openenv.core.env_server.mcp_environment import MCPEnvironment
    from openenv.core.env_server.types import Action, Observation, State
except ImportError:
    from openenv_core.env_server.mcp_environment import MCPEnvironment
    from openenv_core.env_server.types import Action, Observation, State

from fastmcp import FastMCP


class LedgerEnvironment(MCPEnvironment):
    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self):
        accounts: Dict[str, int] = {}
        mcp = FastMCP("ledger_env")

        @mcp.tool
        def deposit(account: str, cents: int) -> int:
            """Pay in, and give what is there then."""
            if cents <= 0:
                raise ValueError(f"{cents} cents cannot be paid in")
            accounts[account] = accounts.get(account, 0) + cents
            return accounts[account]

        @mcp.tool
        def balance(account: str) -> int:
            """Give what is there."""
            return accounts.get(account, 0)

        super().__init__(mcp)
        self._accounts = accounts
        self._state = State(episode_id=str(uuid4()), step_count=0)

        @self.tool(mode="production")
        def audit() -> Dict[str, int]:
            """Give all there is."""
            return dict(accounts)

    def reset(self, seed: Optional[int] = None, episode_id: Optional[str] = None, **kwargs: Any) -> Observation:
        self._accounts.clear()
        self._state = State(episode_id=episode_id or str(uuid4()), step_count=0)
        return Observation(done=False, reward=0.0, metadata={"status": "ready"})

    def _step_impl(self, action: Action, timeout_s: Optional[float] = None, **kwargs: Any) -> Observation:
        return Observation(done=False, reward=0.0, metadata={"error": f"{type(action).__name__} calls no tool"})

    def step(self, action: Action, timeout_s: Optional[float] = None, **kwargs: Any) -> Observation:
        self._state.step_count += 1
        return super().step(action, timeout_s=timeout_s, **kwargs)

    @property
    def state(self) -> State:
        return self._state
