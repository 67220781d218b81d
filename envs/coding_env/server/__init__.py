"""The server's side: the environment itself, and the application that serves it."""

from .coding_env_environment import CodingEnvironment

__all__ = ["CodingEnvironment"]
