"""`make demo`: scaffold an environment, serve it, step it, drive it by four clients, then as a vector; clean up."""

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

OPENENV = [sys.executable, "-m", "openenv.cli"]


def main() -> None:
    """Print the transcript; everything happens in a temporary folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="openenv-demo-") as name:
        folder = Path(name)
        say("$ openenv init my_env")
        created = subprocess.run(
            [*OPENENV, "init", "my_env"], cwd=folder, stdout=subprocess.PIPE, text=True, check=True
        )
        say(created.stdout.split("\n\nNext:")[0])
        with serving(folder / "my_env") as url:
            sys.path.insert(0, str(folder))
            drive(url)
        say("The server is stopped, the folder is gone.")


@contextmanager
def serving(environment: Path) -> Iterator[str]:
    """Run `openenv serve` on a free port and give its URL."""
    say("\n$ openenv serve my_env")
    since = time.perf_counter()
    command = [*OPENENV, "serve", str(environment), "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        found = re.search(r"http://\S+", process.stderr.readline())
        if found is None:
            raise SystemExit(f"the server did not start:\n{process.stderr.read()}")
        say(f"Serving at {found[0]} after {time.perf_counter() - since:.1f} s")
        yield found[0]
    finally:
        process.terminate()
        process.communicate(timeout=20)


def drive(url: str) -> None:
    """Play an episode, then four at once, then sixty in one vector."""
    from my_env import MyAction, MyEnv  # type: ignore[import-not-found]  # scaffolded a moment ago

    with MyEnv(base_url=url) as env:
        say("\n>>> env.reset()")
        say(f"{env.reset().observation.echoed_message}")
        for message in ["Hi", "Hello, World!", ""]:
            result = env.step(MyAction(message=message))
            say(f">>> env.step(MyAction(message={message!r}))")
            say(f"echoed {result.observation.echoed_message!r}, reward {result.reward}, done {result.done}")
        say(f">>> env.state()\n{env.state()!r}")

    def episode(number: int) -> str:
        with MyEnv(base_url=url) as env:
            env.reset(episode_id=f"episode-{number}")
            rewards = [env.step(MyAction(message=f"client {number}, step {step}")).reward for step in range(10)]
            state = env.state()
            return (
                f"client {number}: {state.episode_id}, {state.step_count} steps, return {sum(map(float, rewards)):.1f}"
            )

    say("\nFour clients at once:")
    with ThreadPoolExecutor(4) as executor:
        for line in executor.map(episode, range(4)):
            say(f"  {line}")

    say("\n>>> with MyEnv.vector(url, num_envs=60) as envs: ...")
    with MyEnv.vector(url, num_envs=60) as envs:
        envs.reset(seeds=7)
        since, rounds = time.perf_counter(), 50
        for _ in range(rounds):
            envs.step([MyAction(message="Hello, World!")] * 60)
        say(f"60 environments over one connection: {60 * rounds / (time.perf_counter() - since):,.0f} steps a second\n")


def say(text: str) -> None:
    """Print at once, in step with what the other processes do."""
    print(text, flush=True)


if __name__ == "__main__":
    main()
