"""The app."""

try:
    from openenv.core.env_server.http_server import create_app
    from openenv.core.env_server.mcp_types import CallToolAction, CallToolObservation

    from .ledger_environment import LedgerEnvironment
except ImportError:
    from openenv.core.env_server.http_server import create_app
    from openenv.core.env_server.mcp_types import CallToolAction, CallToolObservation
    from server.ledger_environment import LedgerEnvironment

app = create_app(LedgerEnvironment, CallToolAction, CallToolObservation, env_name="ledger_env", max_concurrent_envs=8)


def main():
    import uvicorn

    uvicorn.run(app, host="0.0.0.0", port=8000)


if __name__ == "__main__":
    main()
