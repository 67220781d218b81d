"""The server's side: what is served, and the application that serves it."""

from .gym_env_environment import Choice

__all__ = ["Choice"]
