"""Environments that say which mode they were told, and whose failures tell secrets; for worker processes, too."""

from typing import Any

from tests.support.echo import EchoEnvironment

__all__ = ["SECRET", "Guarded", "Moody", "Unbuildable"]

SECRET = "the key is under the mat"


class Guarded(EchoEnvironment):
    """Answers `mode` with the mode that it was told, and fails at everything else."""

    SNAPSHOT_BY_PICKLE = True
    _mode: str | None = None

    def handle_json_rpc(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["method"] != "mode":
            raise ValueError(SECRET)
        return {"jsonrpc": "2.0", "id": request["id"], "result": self._mode}


class Moody(Guarded):
    """Has moods of its own, which are nobody else's."""

    def __init__(self) -> None:
        super().__init__()
        self._mode = "easy"


class Unbuildable(EchoEnvironment):
    def __init__(self) -> None:
        raise ValueError(SECRET)
