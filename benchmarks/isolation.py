"""What worker processes cost a step, and what they bring where a step takes the interpreter's time.

    python -m benchmarks.isolation [--connections 16] [--seconds 3]

Each row is a server of its own: environments on threads, in worker processes, and on threads of several servers behind
one port. An echo shows what isolation costs, and an environment that computes for half a millisecond of Python a step
what it brings. Rows are ratios to the first one of the same environment in the same run.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.steps import Load

_APP = textwrap.dedent("""
    import time

    from openenv import Action, Environment, Observation, State, create_app

    class EchoAction(Action):
        message: str

    class EchoObservation(Observation):
        echoed_message: str = ""

    class Echo(Environment[EchoAction, EchoObservation, State]):
        SUPPORTS_CONCURRENT_SESSIONS = True
        BLOCKING = {blocking}

        def __init__(self):
            self._state = State(episode_id="bench")

        def reset(self):
            return EchoObservation()

        def step(self, action):
            for turn in range({turns}):
                pass
            return EchoObservation(echoed_message=action.message, reward=1.0)

        @property
        def state(self):
            return self._state

    app = create_app(Echo, EchoAction, EchoObservation, max_concurrent_envs=1024)
""")
_RUN = textwrap.dedent("""
    from openenv.server import import_app, run

    if __name__ == "__main__":
        app = import_app("app:app") if {workers} == 1 else "app:app"
        run(app, workers={workers}, port=0, log_level="error", on_bound=lambda url: print(url, flush=True))
""")
_TURNS_MS = 40_000
"""About what an empty loop turns in a millisecond; `calibrated` measures it."""
_WARM_UP_S = 4.0
"""Until every session has its process."""
_ROWS = [
    ("threads, one process", {}, 1),
    ("isolation=process", {"OPENENV_ISOLATION": "process"}, 1),
    ("isolation=process, shared by 2", {"OPENENV_ISOLATION": "process", "OPENENV_ENV_WORKERS": "2"}, 1),
    ("threads, --workers 2", {}, 2),
]


def calibrated(milliseconds: float) -> int:
    """Say how many turns of an empty loop take so long here."""
    program = f"for turn in range({_TURNS_MS * 50}): pass"
    took_s = float(
        subprocess.run(
            [sys.executable, "-c", f"import time; t = time.process_time()\n{program}\nprint(time.process_time() - t)"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )
    return int(_TURNS_MS * 50 * milliseconds / 1000 / took_s)


@contextmanager
def served(source: str, environ: dict[str, str], workers: int) -> Iterator[str]:
    """Serve an app, and give its URL."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "app.py").write_text(source)
        Path(folder, "main.py").write_text(_RUN.format(workers=workers))
        command = [sys.executable, "main.py"]
        surroundings = os.environ | environ
        process = subprocess.Popen(command, cwd=folder, env=surroundings, stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            if not url:
                raise SystemExit("a server did not start; its output says why")
            yield url
        finally:
            process.terminate()
            process.communicate(timeout=30)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=3.0)
    args = parser.parse_args()
    environments = {
        "echo, BLOCKING = False": {"blocking": False, "turns": 0},
        "echo": {"blocking": True, "turns": 0},
        "0.5 ms of Python a step": {"blocking": True, "turns": calibrated(0.5)},
    }
    for name, settings in environments.items():
        print(f"{name}, {args.connections} sessions: steps/s (ratio to threads)")
        first = 0.0
        for row, environ, workers in _ROWS:
            with served(_APP.format(**settings), environ, workers) as url:
                load = Load(url, args.connections)
                load.run(_WARM_UP_S)
                measured = load.run(args.seconds)
                load.close()
            first = first or measured
            print(f"  {row:<32}{measured:>10,.0f}  ({measured / first:.2f})")


if __name__ == "__main__":
    main()
