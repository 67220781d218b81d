"""What tests of publishing share: a Hub on this machine, and folders to publish."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hub_server import HubServer, hub_server


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A Hub with nothing in it, and no login of whoever runs the tests."""
    import huggingface_hub  # slow to import, and only these tests need it

    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("tqdm.tqdm.monitor_interval", 0)  # or a thread would watch its progress bars for ever
    with hub_server() as server:
        yield server
        huggingface_hub.close_session()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The least that can be published, with one file that is not text."""
    folder = tmp_path / "my_env"
    (folder / "server").mkdir(parents=True)
    (folder / "openenv.yaml").write_text("name: my_env\n")
    (folder / "server/Dockerfile").write_text("FROM python:3.11 AS build\nFROM python:3.11\nCOPY data.bin /\nCMD x\n")
    (folder / "data.bin").write_bytes(bytes(range(256)) * 1000)
    return folder
