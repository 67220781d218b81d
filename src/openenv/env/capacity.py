"""How many sessions a server holds, and what is known of each, as models."""

from typing import Self

from pydantic import Field

from openenv.env.http_models import BaseMessage

__all__ = ["ConcurrencyConfig", "ServerCapacityStatus", "SessionInfo"]


class ConcurrencyConfig(BaseMessage):
    """How many sessions at once, and how long one may idle."""

    max_concurrent_envs: int = Field(default=1, ge=1, description="Sessions at once.")
    session_timeout: float | None = Field(
        default=None, gt=0, description="Seconds after which a session that no connection holds is closed."
    )


class ServerCapacityStatus(BaseMessage):
    """How full a server is."""

    active_sessions: int = Field(ge=0, description="Places taken, by those included that open or close just now.")
    max_sessions: int = Field(ge=1, description="Places there are.")

    @property
    def available_slots(self) -> int:
        """Places that are free."""
        return max(self.max_sessions - self.active_sessions, 0)

    @property
    def is_at_capacity(self) -> bool:
        """Whether a newcomer has to wait."""
        return self.available_slots == 0

    @classmethod
    def from_counts(cls, active: int, max_sessions: int) -> Self:
        """Make one of the two numbers."""
        return cls(active_sessions=active, max_sessions=max_sessions)


class SessionInfo(BaseMessage):
    """What a server tells about one session; times are in seconds since the epoch."""

    session_id: str
    created_at: float
    last_activity_at: float
    step_count: int = Field(default=0, ge=0, description="Steps that were asked for, in all episodes.")
    environment_type: str = Field(description="Class name of its environment.")
