"""The Reasoning environment: what goes in, what comes out, and the client that drives it."""

from .client import ReasoningEnv
from .models import ReasoningAction, ReasoningObservation

__all__ = [
    "ReasoningAction",
    "ReasoningEnv",
    "ReasoningObservation",
]
