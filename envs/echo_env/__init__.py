"""The Echo environment: what goes in, what comes out, and the client that drives it."""

from .client import EchoEnv
from .models import EchoAction, EchoObservation

__all__ = [
    "EchoAction",
    "EchoEnv",
    "EchoObservation",
]
