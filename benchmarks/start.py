"""What comes before the first step: importing, the command line, a server's start, and what an installation weighs.

    python -m benchmarks.start [--rounds 5] [--peer PYTHON]

Times are the best of some rounds, each in a process of its own. `--peer` names a Python with OpenEnv 0.10.0.
"""

import argparse
import http.client
import json
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

_IMPORT = "import time; began = time.perf_counter()\n{}\nprint(time.perf_counter() - began)"
_OURS = ("from openenv import EnvClient, StepResult", "openenv-runtime")
_THEIRS = ("import openenv.core.client_types", "openenv")
_START_S = 60.0
_POLL_S = 0.002
_WEIGH = """
import json, pathlib, sys
from importlib import metadata
try:
    from packaging.requirements import Requirement
except ImportError:
    from pip._vendor.packaging.requirements import Requirement

seen, todo = {}, [(sys.argv[1], "")]
while todo:
    name, extra = todo.pop()
    if (name, extra) in seen:
        continue
    found = seen[name, extra] = metadata.distribution(name)
    for line in found.requires or []:
        need = Requirement(line)
        if need.marker is None or need.marker.evaluate({"extra": extra}):
            todo += [(need.name.lower().replace("_", "-"), each) for each in ("", *need.extras)]
files = {str(path.locate()) for found in seen.values() for path in found.files or []}
if sys.argv[2:]:  # installed in place: its files are not listed
    files |= {str(path) for path in pathlib.Path(sys.argv[2]).rglob("*")}
sizes = [path.stat().st_size for path in map(pathlib.Path, files) if path.is_file()]
print(json.dumps([len({name for name, _ in seen}), sum(sizes)]))
"""


@dataclass(frozen=True, kw_only=True)
class Start:
    """What an installation costs before anything is stepped.

    Attributes:
        import_s: Importing what a client needs.
        help_s: `openenv --help`.
        healthy_s: From the start of the command to the first healthy answer; None where it was not measured.
        distributions: How many an installation without extras brings, itself included.
        installed_bytes: What they take, with their byte code.
    """

    import_s: float
    help_s: float
    healthy_s: float | None
    distributions: int
    installed_bytes: int


def measure(rounds: int, peer: str | None) -> dict[str, Start]:
    """Measure ours and, where its Python is given, the peer's."""
    package = Path(__file__).resolve().parents[1] / "src" / "openenv"
    statement, name = _OURS
    found = {"ours": _start(sys.executable, statement, [name, str(package)], rounds, _healthy_s(rounds))}
    if peer is not None:
        statement, name = _THEIRS
        found["OpenEnv 0.10.0"] = _start(peer, statement, [name], rounds, None)
    return found


def _start(python: str, statement: str, weighed: list[str], rounds: int, healthy_s: float | None) -> Start:
    distributions, size = json.loads(_output([python, "-c", _WEIGH, *weighed]))
    return Start(
        import_s=min(float(_output([python, "-c", _IMPORT.format(statement)])) for _ in range(rounds)),
        help_s=min(_taken([str(Path(python).parent / "openenv"), "--help"]) for _ in range(rounds)),
        healthy_s=healthy_s,
        distributions=distributions,
        installed_bytes=size,
    )


def _healthy_s(rounds: int) -> float:
    """Start the scaffolded environment by `openenv serve`, and ask until it is healthy."""
    openenv = str(Path(sys.executable).parent / "openenv")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([openenv, "init", "my_env"], cwd=folder, capture_output=True, check=True)
        return min(_served_after_s([openenv, "serve", str(Path(folder, "my_env"))]) for _ in range(rounds))


def _served_after_s(command: list[str]) -> float:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    began = time.perf_counter()
    quiet = subprocess.DEVNULL
    with subprocess.Popen([*command, "--port", str(port)], stdout=quiet, stderr=quiet) as process:
        try:
            while not _is_healthy(port):
                if process.poll() is not None or time.perf_counter() > began + _START_S:
                    raise SystemExit("a server did not start")
                time.sleep(_POLL_S)
            return time.perf_counter() - began
        finally:
            process.terminate()


def _is_healthy(port: int) -> bool:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False


def _taken(command: list[str]) -> float:
    began = time.perf_counter()
    _output(command)
    return time.perf_counter() - began


def _output(command: list[str]) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=_START_S).stdout


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peer", metavar="PYTHON", help="measure OpenEnv 0.10.0 too, installed for this Python")
    args = parser.parse_args()
    for name, start in measure(args.rounds, args.peer).items():
        print(f"{name}: import {start.import_s:.3f} s, --help {start.help_s:.2f} s", end="")
        print("" if start.healthy_s is None else f", serving after {start.healthy_s:.2f} s", end="")
        print(f", {start.distributions} distributions, {start.installed_bytes / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
