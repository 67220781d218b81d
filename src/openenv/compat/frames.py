"""The frames of dialect 1 as models, for code that builds or reads them by hand.

Our own sessions do not go through them: `openenv.protocol` reads and writes the same frames without models. Additions
of ours to the dialect are not in them, since a peer that checks its frames by these models would refuse those.
"""

import enum
from typing import Annotated, Any, Literal

from pydantic import Field

from openenv.env.http_models import BaseMessage

__all__ = [
    "WSCloseMessage",
    "WSErrorCode",
    "WSErrorResponse",
    "WSIncomingMessage",
    "WSMCPMessage",
    "WSMCPResponse",
    "WSObservationResponse",
    "WSResetMessage",
    "WSStateMessage",
    "WSStateResponse",
    "WSStepMessage",
]


class WSErrorCode(enum.StrEnum):
    """The codes of errors that every OpenEnv server has; ours has some more, listed in the reference."""

    INVALID_JSON = "INVALID_JSON"
    UNKNOWN_TYPE = "UNKNOWN_TYPE"
    VALIDATION_ERROR = "VALIDATION_ERROR"
    EXECUTION_ERROR = "EXECUTION_ERROR"
    CAPACITY_REACHED = "CAPACITY_REACHED"
    FACTORY_ERROR = "FACTORY_ERROR"
    SESSION_ERROR = "SESSION_ERROR"


class WSResetMessage(BaseMessage):
    """Asks for a new episode."""

    type: Literal["reset"] = "reset"
    data: dict[str, Any] = Field(default_factory=dict, description="Arguments of the environment's `reset`.")


class WSStepMessage(BaseMessage):
    """Asks for one step."""

    type: Literal["step"] = "step"
    data: dict[str, Any] = Field(description="The action's fields.")


class WSStateMessage(BaseMessage):
    """Asks for the state."""

    type: Literal["state"] = "state"


class WSCloseMessage(BaseMessage):
    """Ends the session; there is no answer."""

    type: Literal["close"] = "close"


class WSMCPMessage(BaseMessage):
    """Carries a JSON-RPC request for the environment's tools."""

    type: Literal["mcp"] = "mcp"
    data: dict[str, Any] = Field(description="The JSON-RPC request.")


WSIncomingMessage = Annotated[
    WSResetMessage | WSStepMessage | WSStateMessage | WSCloseMessage | WSMCPMessage, Field(discriminator="type")
]
"""Whatever a client sends."""


class WSObservationResponse(BaseMessage):
    """Answers a reset or a step."""

    type: Literal["observation"] = "observation"
    data: dict[str, Any] = Field(description="`observation`, `reward` and `done`; `metadata` where there is any.")


class WSStateResponse(BaseMessage):
    """Answers the question for the state."""

    type: Literal["state"] = "state"
    data: dict[str, Any] = Field(description="The state's fields.")


class WSMCPResponse(BaseMessage):
    """Carries the JSON-RPC response."""

    type: Literal["mcp"] = "mcp"
    data: dict[str, Any] = Field(description="The JSON-RPC response.")


class WSErrorResponse(BaseMessage):
    """Says why a request was not carried out."""

    type: Literal["error"] = "error"
    data: dict[str, Any] = Field(description="`message` and `code`, and what is known besides.")
