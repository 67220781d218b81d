"""Serving an environment: over WebSocket at `/ws`, and over HTTP."""

from openenv.server.app import create_app
from openenv.server.config import ServerConfig
from openenv.server.run import import_app, run

__all__ = ["ServerConfig", "create_app", "import_app", "run"]
