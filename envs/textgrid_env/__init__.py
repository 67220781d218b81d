"""The Textgrid environment: what goes in, what comes out, and the client that drives it."""

from .client import TextgridEnv
from .models import TextgridAction, TextgridObservation

__all__ = [
    "TextgridAction",
    "TextgridEnv",
    "TextgridObservation",
]
