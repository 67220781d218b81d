"""The server's side: the environment itself, and the application that serves it."""

from .chess_env_environment import ChessEnvironment

__all__ = ["ChessEnvironment"]
