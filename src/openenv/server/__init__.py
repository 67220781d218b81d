"""Serving an environment: over WebSocket at `/ws`, and over HTTP."""

from openenv.server.app import create_app, create_fastapi_app, create_web_interface_app
from openenv.server.config import ServerConfig
from openenv.server.http_env_server import HTTPEnvServer
from openenv.server.run import import_app, run

__all__ = [
    "HTTPEnvServer",
    "ServerConfig",
    "create_app",
    "create_fastapi_app",
    "create_web_interface_app",
    "import_app",
    "run",
]
