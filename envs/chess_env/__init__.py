"""The Chess environment: what goes in, what comes out, and the client that drives it."""

from .client import ChessEnv
from .models import ChessAction, ChessObservation

__all__ = [
    "ChessAction",
    "ChessEnv",
    "ChessObservation",
]
