"""The server's side: the environment itself, and the application that serves it."""

from .textgrid_env_environment import TextgridEnvironment

__all__ = ["TextgridEnvironment"]
