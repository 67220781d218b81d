"""The __ENV_TITLE_NAME__ environment: what goes in, what comes out, and the client that drives it."""

from .client import __ENV_CLASS_NAME__Env
from .models import (
    __ENV_CLASS_NAME__Action,
    __ENV_CLASS_NAME__Observation,
)

__all__ = [
    "__ENV_CLASS_NAME__Action",
    "__ENV_CLASS_NAME__Env",
    "__ENV_CLASS_NAME__Observation",
]
