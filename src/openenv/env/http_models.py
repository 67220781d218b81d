"""What goes over the HTTP routes, as models: the bodies of requests, and of the answers that have a fixed shape."""

import enum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "BaseMessage",
    "GetTaskRangeRequest",
    "GetTaskRequest",
    "HealthResponse",
    "HealthStatus",
    "ListTasksRequest",
    "NumTasksRequest",
    "ResetRequest",
    "ResetResponse",
    "SchemaResponse",
    "StepRequest",
    "StepResponse",
]

_TIME_LIMIT = "Time limit in seconds; past it the session is lost."


class BaseMessage(BaseModel):
    """A message that has the fields of its class and no others."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class ResetRequest(BaseModel):
    """Body of `POST /reset`; further keys go to the environment's `reset`."""

    model_config = ConfigDict(extra="allow")

    seed: int | None = Field(default=None, ge=0, description="The same seed gives the same episode.")
    episode_id: str | None = Field(default=None, max_length=255, description="Names the episode.")
    timeout_s: float | None = Field(default=None, gt=0, description=_TIME_LIMIT)


class StepRequest(BaseModel):
    """Body of `POST /step`; further keys go to the environment's `step`."""

    model_config = ConfigDict(extra="allow")

    action: dict[str, Any] = Field(description="The action, as `/schema` describes it.")
    timeout_s: float | None = Field(default=None, gt=0, description=_TIME_LIMIT)
    request_id: str | None = Field(default=None, max_length=255, description="Sent back as the header X-Request-Id.")


class StepResponse(BaseMessage):
    """Answer of `POST /step`."""

    observation: dict[str, Any]
    reward: float | None = None
    done: bool = False
    metadata: dict[str, Any] | None = None


class ResetResponse(StepResponse):
    """Answer of `POST /reset`."""


class HealthStatus(enum.StrEnum):
    """How a server is."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    DEGRADED = "degraded"


class HealthResponse(BaseMessage):
    """Answer of `GET /health`."""

    status: HealthStatus = HealthStatus.HEALTHY


class SchemaResponse(BaseMessage):
    """The part of `GET /schema` that every server has: JSON schemas of what goes in and comes out."""

    action: dict[str, Any]
    observation: dict[str, Any]
    state: dict[str, Any]
    reset_observation: dict[str, Any] | None = None


class ListTasksRequest(BaseMessage):
    """Body of `POST /{env}/tasks`."""

    split: str = Field(description="One of those that `GET /{env}/splits` names.")


class NumTasksRequest(ListTasksRequest):
    """Body of `POST /{env}/num_tasks`."""


class GetTaskRequest(ListTasksRequest):
    """Body of `POST /{env}/task`."""

    index: int = Field(description="Which task of the split, from 0.")


class GetTaskRangeRequest(ListTasksRequest):
    """Body of `POST /{env}/task_range`; as a slice, with the end left out."""

    start: int | None = Field(default=None, description="The first task; from the beginning when left out.")
    stop: int | None = Field(default=None, description="The task to end before; to the end when left out.")
