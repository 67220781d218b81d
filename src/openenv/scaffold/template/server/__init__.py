"""The server's side: the environment itself, and the application that serves it."""

from .__ENV_NAME___environment import __ENV_CLASS_NAME__Environment

__all__ = ["__ENV_CLASS_NAME__Environment"]
