"""The application that serves the environment over WebSocket and HTTP.

While you work on it, in the environment's folder:

    uvicorn server.app:app --reload

Once it is installed, anywhere:

    server --host 127.0.0.1 --port 8000
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from openenv import create_app
from openenv.server import run

if TYPE_CHECKING or "." in (__package__ or ""):  # as part of the package, mcp_notes_env.server.app
    from ..models import CallToolAction, CallToolObservation, McpNotesState, McpNotesTask
    from .mcp_notes_env_environment import McpNotesEnvironment
else:  # as server.app, by `uvicorn server.app:app`, or run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from models import CallToolAction, CallToolObservation, McpNotesState, McpNotesTask
    from server.mcp_notes_env_environment import McpNotesEnvironment

# Given the class, not an instance of it, the server makes one environment for each session.
app = create_app(
    McpNotesEnvironment,
    CallToolAction,
    CallToolObservation,
    env_name="mcp_notes_env",
    max_concurrent_envs=64,
    state_cls=McpNotesState,
    reset_observation_cls=McpNotesTask,
)


def main() -> None:
    """Serve the environment until interrupted."""
    parser = argparse.ArgumentParser(description="Serve the Mcp Notes environment.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=8000, help="port to listen on (%(default)s)")
    arguments = parser.parse_args()
    run(
        app,
        host=arguments.host,
        port=arguments.port,
        on_bound=lambda url: print(f"Serving at {url}", flush=True),
    )


if __name__ == "__main__":
    main()
