"""The Coding environment: what goes in, what comes out, and the client that drives it."""

from .client import CodingEnv
from .models import CodeAction, CodeObservation

__all__ = [
    "CodeAction",
    "CodeObservation",
    "CodingEnv",
]
