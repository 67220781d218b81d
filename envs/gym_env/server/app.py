"""The application that serves the environment over WebSocket and HTTP.

While you work on it, in the environment's folder:

    uvicorn server.app:app --reload

Once it is installed, anywhere:

    server --host 127.0.0.1 --port 8000
"""

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from openenv.server import run

if TYPE_CHECKING or "." in (__package__ or ""):  # as part of the package, gym_env.server.app
    from .gym_env_environment import Choice
else:  # as server.app, by `uvicorn server.app:app`, or run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from server.gym_env_environment import Choice

# Each session gets an environment of its own, or a vector of them.
app = Choice.of(os.environ).app()


def main() -> None:
    """Serve the environment until interrupted."""
    parser = argparse.ArgumentParser(description="Serve the Gym environment.")
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
