"""A Hub that serves the git repositories of Spaces, and says where each is served: enough to install one from."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

__all__ = ["BACKEND", "SpaceGit", "http_server", "space_git"]

# A build backend without dependencies, so that building needs no network.
BACKEND = """
import pathlib, tomllib, zipfile

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    project = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]
    base = project["name"].replace("-", "_") + "-" + project["version"]
    needs = "".join(f"Requires-Dist: {each}\\n" for each in project.get("dependencies", []))
    head = f"Metadata-Version: 2.1\\nName: {project['name']}\\nVersion: {project['version']}\\n{needs}"
    files = {str(path): path.read_text() for path in pathlib.Path(".").glob("*_env/*")}
    info = f"{base}.dist-info"
    kind = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
    files |= {f"{info}/METADATA": head, f"{info}/WHEEL": kind}
    record = "".join(f"{path},,\\n" for path in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(pathlib.Path(wheel_directory) / f"{base}-py3-none-any.whl", "w") as wheel:
        for path, text in {**files, f"{info}/RECORD": record}.items():
            wheel.writestr(path, text)
    return f"{base}-py3-none-any.whl"
"""


@dataclass
class SpaceGit:
    """Where it is, and what it says of Spaces, by `owner/name`."""

    folder: Path
    url: str = ""
    told: dict[str, Any] = field(default_factory=dict)

    def add(self, space: str, files: Mapping[str, str], *, name: str, needs: tuple[str, ...] = ()) -> None:
        """Make the repository of a Space, whose package is called `name`."""
        project = f'[project]\nname = "{name}"\nversion = "1.0"\ndependencies = {json.dumps(needs)}\n'
        build = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        work, bare = self.folder / "work" / space, self.folder / "spaces" / space
        for path, text in {**files, "pyproject.toml": build + project, "backend.py": BACKEND}.items():
            (work / path).parent.mkdir(parents=True, exist_ok=True)
            (work / path).write_text(text)
        git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "init.defaultBranch=main"]
        for command in (["init", "-q", "."], ["add", "."], ["commit", "-q", "-m", "x"]):
            subprocess.run([*git, *command], cwd=work, check=True)
        subprocess.run([*git, "clone", "-q", "--bare", str(work), str(bare)], check=True)
        subprocess.run(["git", "update-server-info"], cwd=bare, check=True)

    def environment(self) -> dict[str, str]:
        """Say the environment variables by which a process finds it."""
        return {**os.environ, "HF_ENDPOINT": self.url, "NO_PROXY": "*", "no_proxy": "*"}


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *args: Any, hub: SpaceGit, **kwargs: Any) -> None:
        self._hub = hub
        super().__init__(*args, directory=str(hub.folder), **kwargs)

    def do_GET(self) -> None:
        if not self.path.startswith("/api/spaces/"):
            super().do_GET()
            return
        told = self._hub.told.get(self.path.removeprefix("/api/spaces/"))
        text = told if isinstance(told, bytes) else json.dumps(told).encode()
        self.send_response(404 if told is None else 200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@contextmanager
def http_server(handler: Any) -> Iterator[str]:
    """Serve by a handler, on a port of its own, for the time of the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def space_git(folder: Path) -> Iterator[SpaceGit]:
    """Serve what is added to it, for the time of the block."""
    hub = SpaceGit(folder)
    with http_server(partial(_Handler, hub=hub)) as hub.url:
        yield hub
