"""What holds for every environment of the catalogue: it is whole, it is served, and its README tells the truth."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from openenv.hub.checks import static_checks
from openenv.hub.report import Status
from openenv.scaffold.names import Names
from openenv.testing import check_server

pytestmark = pytest.mark.timeout(180)

# What `openenv init` makes, apart from what a person or a machine adds.
_LAYOUT = (
    ".dockerignore", "__init__.py", "client.py", "models.py", "openenv.yaml", "pyproject.toml", "README.md",
    "server/__init__.py", "server/app.py", "server/Dockerfile", "server/{0}_environment.py", "tests/test_{0}.py",
)  # fmt: skip


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(folder.parent)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_its_own_tests_pass(folder: Path) -> None:
    ran = python(folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " passed" in ran.stdout
    assert "skipped" not in ran.stdout, ran.stdout


def test_it_has_the_layout_of_a_scaffold_and_its_names(folder: Path) -> None:
    missing = [path.format(folder.name) for path in _LAYOUT if not (folder / path.format(folder.name)).is_file()]
    assert not missing
    names = Names.parse(folder.name)
    project = (folder / "pyproject.toml").read_text()
    assert f'name = "{names.distribution}"' in project
    assert f'server = "{folder.name}.server.app:main"' in project
    assert f'{folder.name} = "{folder.name}:{names.class_prefix}Env"' in project
    assert f"class {names.class_prefix}Env(" in (folder / "client.py").read_text()


def test_static_checks_pass(folder: Path) -> None:
    report = static_checks(folder)
    # Its lock is not kept in the repository: it names the index that it was made from.
    wrong = [result for result in report.results if result.status is not Status.PASS and result.id != "static.lock"]
    assert not wrong, json.dumps(report.to_json(), indent=1)


def test_its_server_keeps_the_rules(url: str) -> None:
    report = check_server(url)
    assert report.verdict == "pass", json.dumps(report.to_json(), indent=1)


def test_every_python_snippet_of_its_readme_runs(folder: Path, url: str) -> None:
    snippets = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)
    snippets = [snippet for snippet in snippets if "docker" not in snippet]
    assert snippets
    ran = python(folder, "-c", "\n".join(snippets).replace("http://localhost:8000", url))
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    assert ran.stdout.strip()


def test_it_says_what_it_is(folder: Path, url: str) -> None:
    with httpx.Client(base_url=url, trust_env=False) as client:
        assert client.get("/web").status_code == 200
        said = client.get("/metadata").json()
        schema = client.get("/schema").json()
    assert said["readme_content"].startswith("# ")
    assert len(said["description"]) > 30
    if folder.name != "gym_env":  # whose models are made of the spaces, by Gymnasium's half of the runtime
        assert schema["client"]["package"] == folder.name
    fields = [*schema["action"]["properties"].values(), *schema["observation"]["properties"].values()]
    assert all("description" in field for field in fields)


def test_its_page_draws_and_offers_what_can_be_done(folder: Path, url: str) -> None:
    with connect(f"{url.replace('http', 'ws', 1)}/ws", proxy=None) as socket:

        def ask(kind: str, **data: Any) -> dict[str, Any]:
            socket.send(json.dumps({"type": kind} | ({"data": data} if kind != "view" else {})))
            answer: dict[str, Any] = json.loads(socket.recv(timeout=20))
            assert answer["type"] != "error", answer
            return answer["data"]  # type: ignore[no-any-return]  # JSON

        ask("reset", seed=1)
        shown = ask("view")
        if folder.name == "echo_env":  # as the scaffold makes it
            assert shown == {"html": None, "actions": []}
            return
        if folder.name == "gym_env":  # the frame alone, from which clients make it again
            assert (shown["html"][:8], shown["actions"]) == ("<pre>o  ", [])
            return
        assert shown["html"].startswith("<style>")
        assert shown["actions"]
        ask("step", **shown["actions"][0]["action"])
        assert ask("view")["html"] != shown["html"]
