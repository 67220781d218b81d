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

from openenv import create_app
from openenv.server import run

if TYPE_CHECKING or "." in (__package__ or ""):  # as part of the package, reasoning_env.server.app
    from ..models import ReasoningAction, ReasoningObservation
    from .datasets import chosen_datasets
    from .reasoning_env_environment import ReasoningEnvironment
else:  # as server.app, by `uvicorn server.app:app`, or run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    from models import ReasoningAction, ReasoningObservation
    from server.datasets import chosen_datasets
    from server.reasoning_env_environment import ReasoningEnvironment

# Better no server than one with tasks that nobody can be given.
chosen_datasets(os.environ)

# Given the class, not an instance of it, the server makes one environment for each session.
app = create_app(
    ReasoningEnvironment,
    ReasoningAction,
    ReasoningObservation,
    env_name="reasoning_env",
    max_concurrent_envs=64,
)


def main() -> None:
    """Serve the environment until interrupted."""
    parser = argparse.ArgumentParser(description="Serve the Reasoning environment.")
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
