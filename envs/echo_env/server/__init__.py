"""The server's side: the environment itself, and the application that serves it."""

from .echo_env_environment import EchoEnvironment

__all__ = ["EchoEnvironment"]
