"""The server's side: the environment itself, and the application that serves it."""

from .reasoning_env_environment import ReasoningEnvironment

__all__ = ["ReasoningEnvironment"]
