"""An environment written for OpenEnv, in the style that is found there; and a distribution that stands for theirs."""

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["distribution", "lock_on_stand_ins", "lock_upstream", "write_environment"]

_FILES = {
    "__init__.py": "",
    "server/__init__.py": "",
    "openenv.yaml": """\
spec_version: 1
name: who_env
type: space
runtime: fastapi
app: server.app:app
port: 8000
""",
    "models.py": '''\
"""Models, with the ladder of imports for every layout there ever was."""

try:
    from openenv.core.env_server.types import Action, Observation
except ImportError:
    from core.env_server.types import Action, Observation


class WhoAction(Action):
    message: str


class WhoObservation(Observation):
    installed: list[str] = []
    echoed: str = ""
''',
    "client.py": '''\
"""The client, by the three hooks."""

from openenv.core.client_types import StepResult
from openenv.core.env_client import EnvClient
from openenv.core.env_server.types import State

from .models import WhoAction, WhoObservation


class WhoEnv(EnvClient[WhoAction, WhoObservation, State]):
    def _step_payload(self, action: WhoAction) -> dict:
        return {"message": action.message}

    def _parse_result(self, payload: dict) -> StepResult[WhoObservation]:
        observation = WhoObservation(**payload["observation"])
        return StepResult(observation=observation, reward=payload.get("reward"), done=payload.get("done", False))

    def _parse_state(self, payload: dict) -> State:
        return State(episode_id=payload.get("episode_id"), step_count=payload.get("step_count", 0))
''',
    "server/who_environment.py": '''\
"""Says which distributions of OpenEnv it runs on."""

from importlib.metadata import distributions
from uuid import uuid4

from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import State

try:
    from ..models import WhoAction, WhoObservation
except ImportError:
    from models import WhoAction, WhoObservation


class WhoEnvironment(Environment):
    def __init__(self):
        self._state = State(episode_id=str(uuid4()), step_count=0)

    def reset(self) -> WhoObservation:
        self._state = State(episode_id=str(uuid4()), step_count=0)
        return WhoObservation(done=False, reward=0.0)

    def step(self, action: WhoAction) -> WhoObservation:
        self._state.step_count += 1
        names = sorted(each.name for each in distributions() if each.name.lower().startswith("openenv"))
        return WhoObservation(installed=names, echoed=action.message, reward=1.0)

    @property
    def state(self) -> State:
        return self._state
''',
    "server/app.py": '''\
"""The app, by a factory function."""

from openenv.core.env_server.http_server import create_app

try:
    from ..models import WhoAction, WhoObservation
    from .who_environment import WhoEnvironment
except ImportError:
    from models import WhoAction, WhoObservation
    from server.who_environment import WhoEnvironment


def create_environment():
    return WhoEnvironment()


app = create_app(create_environment, WhoAction, WhoObservation, env_name="who_env")


def main(host: str = "0.0.0.0", port: int = 8000):
    import uvicorn

    uvicorn.run(app, host=host, port=port)


if __name__ == "__main__":
    main()
''',
}


_DOCKERFILE = """\
ARG BASE_IMAGE=ghcr.io/huggingface/openenv-base:latest
FROM ${BASE_IMAGE} AS builder
WORKDIR /app
COPY . /app/env
WORKDIR /app/env
RUN if ! command -v uv >/dev/null 2>&1; then \\
        python3 -m venv /opt/uv && /opt/uv/bin/pip install --quiet uv && ln -s /opt/uv/bin/uv /usr/local/bin/uv; \\
    fi
RUN if [ -f uv.lock ]; then \\
        uv sync --frozen --no-install-project --no-editable; \\
    else \\
        uv sync --no-install-project --no-editable; \\
    fi

FROM ${BASE_IMAGE}
WORKDIR /app
COPY --from=builder /app/env/.venv /app/.venv
COPY --from=builder /app/env /app/env
ENV PATH="/app/.venv/bin:$PATH"
ENV PYTHONPATH="/app/env:$PYTHONPATH"
CMD ["sh", "-c", "cd /app/env && uvicorn server.app:app --host 0.0.0.0 --port 8000"]
"""


def lock_upstream(folder: Path, version: str) -> None:
    """Lock an environment that asks for nothing but `openenv`, on a wheel that stands for it and is gone afterwards."""
    with tempfile.TemporaryDirectory() as wheels:
        lock_on_stand_ins(folder, Path(wheels), {"openenv": version})


def lock_on_stand_ins(folder: Path, wheels: Path, versions: Mapping[str, str]) -> None:
    """Lock an environment on wheels of these names and versions, which hold nothing and are put where it says."""
    for name, version in versions.items():
        distribution(wheels, name, version)
    lock = [sys.executable, "-m", "uv", "lock", "--quiet", "--offline", "--no-index", "--find-links", str(wheels)]
    subprocess.run([*lock, "--python", sys.executable], cwd=folder, check=True)
    written = (folder / "uv.lock").read_text()
    assert all(f'name = "{name}"' in written for name in versions)


def write_environment(folder: Path, *requirements: str) -> Path:
    """Write it, asking for these distributions."""
    for name, text in _FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    listed = "".join(f'    "{each}",\n' for each in requirements)
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "openenv-who_env"\nversion = "0.1.0"\nrequires-python = ">=3.10"\n'
        f'dependencies = [\n{listed}]\n\n[project.scripts]\nserver = "who_env.server.app:main"\n'
    )
    (folder / "server/Dockerfile").write_text(_DOCKERFILE)
    return folder


def distribution(folder: Path, name: str, version: str) -> Path:
    """Make a wheel of that name with nothing in it, which nobody is to install."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    files = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nProvides-Extra: core\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": f"{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n",
    }
    path = folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for file, text in files.items():
            wheel.writestr(f"{info}/{file}", text)
    return path
