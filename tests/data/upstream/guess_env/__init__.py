"""Guess a number."""

from .client import GuessEnv
from .models import GuessAction, GuessObservation, GuessState

__all__ = ["GuessAction", "GuessEnv", "GuessObservation", "GuessState"]
