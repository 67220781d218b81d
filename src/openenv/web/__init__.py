"""The page at `/web`: one file, shown by the server, that drives the environment over `/ws` like any client."""

__all__: list[str] = []
