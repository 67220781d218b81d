"""The app: uvicorn server.app:app, or uv run server."""

import os

try:
    from openenv.core.env_server.http_server import create_app
except ImportError:
    from openenv_core.env_server.http_server import create_app

try:
    from ..models import GuessAction, GuessObservation
    from .guess_environment import GuessEnvironment
except ImportError:
    from models import GuessAction, GuessObservation
    from server.guess_environment import GuessEnvironment


def create_guess_environment():
    """Make one for each session, as the variables say."""
    return GuessEnvironment(max_tries=int(os.getenv("GUESS_MAX_TRIES", "7")))


app = create_app(
    create_guess_environment,
    GuessAction,
    GuessObservation,
    env_name="guess_env",
    max_concurrent_envs=int(os.getenv("GUESS_MAX_SESSIONS", "4")),
)


def main(host: str = "0.0.0.0", port: int = 8000):
    import uvicorn

    uvicorn.run(app, host=host, port=port)


if __name__ == "__main__":
    main()
