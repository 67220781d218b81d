"""What the first README promised, and what the generated one does: every snippet runs as it stands, on a real scaffold.

`tests/data/seed-snippets.md` holds the first; the second is read from what `openenv init` has made.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.guards.snippets import parse, run_page
from tests.support.command import OPENENV, openenv_serve
from tests.support.services import require

SEED = (Path(__file__).parents[1] / "data/seed-snippets.md").read_text()
SEED = SEED.replace("__ENV_NAME__", "my_env").replace("__ENV_CLASS_NAME__", "My")
SEED = SEED.replace("<ENV_HTTP_URL_HERE>", "http://localhost:8000")
RUN_LOCALLY = "uvicorn server.app:app --reload"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]  # a server, a package and a lock file are made on the way


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `openenv init my_env` makes."""
    folder = tmp_path_factory.mktemp("generated")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # there is uv
    ran = subprocess.run(
        [*OPENENV, "init", "my_env"], cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    return folder / "my_env"


@pytest.fixture
def my_env(generated: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change."""
    return Path(shutil.copytree(generated, tmp_path / "my_env"))


def _files(tree: str) -> set[str]:
    """Read a drawing of a folder."""
    files, folder = set(), ""
    for indent, name in re.findall(r"^([│ ]*)[├└]── (\S+)", tree, re.MULTILINE):
        folder = folder if indent else ""
        if name.endswith("/"):
            folder = name
        else:
            files.add(folder + name)
    return files


def _drawing(page: str) -> str:
    return page.partition("## Project Structure")[2]


def test_folder_holds_what_was_promised_and_tests_and_wheels_beside_it(generated: Path) -> None:
    promised = _files(_drawing(SEED))
    assert len(promised) == 12
    made = {path.relative_to(generated).as_posix() for path in generated.rglob("*") if path.is_file()}
    require("uv.lock" in made, "needs a package index, for uv.lock")
    wheels = {name for name in made if name.startswith("wheels/")}
    assert made == promised | {"tests/test_my_env.py"} | wheels
    assert len(wheels) <= 1


def test_readme_draws_the_folder_as_it_is(generated: Path) -> None:
    drawing = _drawing((generated / "README.md").read_text())
    made = {path.relative_to(generated).as_posix() for path in generated.rglob("*") if path.is_file()}
    wheels = {name for name in made if name.startswith("wheels/")}
    assert _files(drawing) == made - wheels | {"uv.lock"}
    assert ("─ wheels/ " in drawing) == bool(wheels)


@pytest.mark.parametrize("command", [RUN_LOCALLY, "openenv serve"])
def test_everything_that_was_promised_first_runs_as_it_stands(command: str, my_env: Path) -> None:
    statement = r"^app = create_app\(.*?^\)\n"
    application, page = my_env / "server/app.py", SEED.replace(RUN_LOCALLY, command)
    (mode,) = [snippet.text for snippet in parse(page) if "create_app(" in snippet.text]
    source, replaced = re.subn(statement, f"{mode}\n", application.read_text(), flags=re.MULTILINE | re.DOTALL)
    assert replaced == 1
    application.write_text(source)

    printed = run_page("seed.md", page, my_env.parent, limit_s=60).splitlines()
    said = ["Reset: My environment is ready!", "Echoed: Hello", "Echoed: World", "Echoed: !"]
    assert [line for line in printed if line in said] == said
    assert "Results: [(0, 16), (1, 16), (2, 16), (3, 16)]" in printed
    assert [line.split(":")[0] for line in printed if line.startswith("ok  ")] == [
        "ok   reset",
        "ok   step",
        "ok   state",
        "ok   rewards",
    ]


EPISODE = """
import json, sys
from my_env import MyAction, MyEnv

with MyEnv(base_url=sys.argv[1]) as env:
    results = [env.reset(), *(env.step(MyAction(message=message)) for message in json.loads(sys.argv[2]))]
    told = [(r.observation.echoed_message, r.observation.message_length, r.reward, r.done) for r in results]
    print(json.dumps([told, results[-1].observation.metadata["step"], env.state().step_count]))
"""


def test_rewards_are_a_tenth_of_the_length_and_it_is_never_done(my_env: Path) -> None:
    messages = ["Hi", "Hello, World!", "", "x" * 1000]
    with openenv_serve(my_env) as serving:
        command = [sys.executable, "-c", EPISODE, serving.url, json.dumps(messages)]
        ran = subprocess.run(command, cwd=my_env.parent, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    told = [
        ["My environment is ready!", 0, 0.0, False],
        ["Hi", 2, 0.2, False],
        ["Hello, World!", 13, 1.3, False],
        ["", 0, 0.0, False],
        ["x" * 1000, 1000, 100.0, False],
    ]
    assert json.loads(ran.stdout) == [told, 4, 4]


def test_every_snippet_of_the_generated_readme_runs_as_it_stands(my_env: Path) -> None:
    """In its order, like a reader: in the environment's folder, with a Python of one's own to install into."""
    page = (my_env / "README.md").read_text()
    for serves in ("openenv serve", RUN_LOCALLY):
        fence = rf"```bash\n([^`]*{re.escape(serves)}\n)```"
        page, found = re.subn(fence, r"<!-- test: server -->\n```bash\n\1```", page)
        assert found == 1
    elsewhere = r"```(?=\w+\n[^`]*(?:docker|openenv push))"
    page = re.sub(elsewhere, "<!-- test: skip, test_containers.py and test_push.py run it -->\n```", page)
    install = "pip install --find-links wheels -e ." if (my_env / "wheels").is_dir() else "pip install -e ."
    assert install in page
    enter = (
        f"```python\nimport os\nos.environ['PATH'] = {_installable(my_env.parent)!r} + ':' + os.environ['PATH']\n```\n"
    )
    leave = (
        "```python\nfrom urllib.request import urlopen\nprint(urlopen('http://localhost:8000/health').read())\n```\n"
    )
    printed = run_page("readme.md", f"{enter}```bash\ncd my_env\n```\n{page}\n{leave}", my_env.parent, limit_s=80)
    for said in (
        "Successfully installed openenv-my-env-0.1.0",
        "Reset: My environment is ready!\nSent: 'Hello, World!'\n  → Echoed: 'Hello, World!'\n",
        "  → Length: 13\n  → Reward: 1.3\n",
        "[(0, 16), (1, 16), (2, 16), (3, 16)]",
        "ok   rewards: 1.3 for 'Hello, World!', 0.2 for 'Hi', 0.0 for nothing",
        "5 passed",
        '{"status":"healthy"}',
    ):
        assert said in printed, printed


def _installable(folder: Path) -> str:
    """Make a Python that sees what ours has and installs into a folder of its own; give where its commands are."""
    venv.create(folder / "python", with_pip=False, symlinks=True)
    (ours,) = {path for path in map(Path, sys.path) if path.name == "site-packages" and path.is_relative_to(sys.prefix)}
    (own,) = (folder / "python").glob("lib/*/site-packages")
    (own / "ours.pth").write_text(f"import site; site.addsitedir({str(ours)!r})\n")  # with the .pth files in it
    pip = folder / "python/bin/pip"
    pip.write_text(f"#!/bin/sh\nexec '{folder}/python/bin/python' -m pip --disable-pip-version-check \"$@\"\n")
    pip.chmod(0o755)
    return str(pip.parent)
