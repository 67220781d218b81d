"""The one place that runs the `docker` command, and turns its failures into our errors.

Decides how long a command may take, what happens to it when we are interrupted, and whether a failure means that there
is no engine. What to run is decided by who calls. An argument vector is visible to every user of the machine, so a
secret goes into `env` and is named, not written, in the arguments: `["run", "--env", "TOKEN"]`.
"""

import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import takewhile
from typing import IO, Self

from openenv.errors import EngineFailed, NotInstalled

__all__ = ["COMMAND_LIMIT_S", "docker", "is_running", "require_running", "stream"]

COMMAND_LIMIT_S = 60.0

_PROBE = ("version", "--format", "{{.Server.Version}}")
_PROBE_LIMIT_S = 10.0
_LAST_LINES = 20
_ENDING_S = 3.0


def docker(
    argv: Sequence[str],
    *,
    stdin: bytes | None = None,
    timeout_s: float = COMMAND_LIMIT_S,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run `docker` with these arguments and give what it printed, without the white space around it.

    Args:
        argv: What follows `docker`.
        stdin: What the command reads; nothing by default.
        timeout_s: Seconds after which it is ended.
        env: Environment variables beside those of this process.

    Raises:
        NotInstalled: There is no `docker`, or no engine answers it.
        EngineFailed: The command failed or took too long; `.logs` has the end of what it said.
    """
    try:
        done = subprocess.run(
            ["docker", *argv],
            # An empty input, in place of none at all, keeps the command from reading the terminal.
            input=stdin or b"",
            capture_output=True,
            check=False,
            env={**os.environ, **(env or {})},
            timeout=timeout_s,
        )
    except OSError as error:
        raise _not_installed(error) from error
    except subprocess.TimeoutExpired as error:
        raise _too_late(argv, timeout_s, _tail(_text(error.stderr or b""))) from error
    if done.returncode:
        raise _failure(argv, done.returncode, _tail(_text(done.stderr) or _text(done.stdout)))
    return _text(done.stdout).strip()


def stream(
    argv: Sequence[str],
    on_line: Callable[[str], None],
    *,
    feed: Callable[[IO[bytes]], None] | None = None,
    timeout_s: float | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run `docker` with these arguments and hand over each line it prints, on either of its outputs, as it comes.

    However this ends, also by Ctrl-C, the command has ended too.

    Args:
        argv: What follows `docker`.
        on_line: Called with every line, without its end.
        feed: Writes what the command reads, in a thread; whatever it raises is raised here.
        timeout_s: Seconds after which it is ended; None leaves that to who watches.
        env: Environment variables beside those of this process.

    Raises:
        NotInstalled: There is no `docker`, or no engine answers it.
        EngineFailed: The command failed or took too long; `.logs` has the last lines.
    """
    try:
        process = subprocess.Popen(
            ["docker", *argv],
            stdin=subprocess.PIPE if feed else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
        )
    except OSError as error:
        raise _not_installed(error) from error
    last: deque[str] = deque(maxlen=_LAST_LINES)
    with _Feeder(process, feed) as feeder, _Alarm(process, timeout_s) as alarm, _ending(process):
        assert process.stdout is not None
        for raw in process.stdout:
            line = _text(raw).rstrip("\r\n")
            last.append(line)
            on_line(line)
        code = process.wait()
    if feeder.error is not None:
        raise feeder.error
    if alarm.rang:
        raise _too_late(argv, alarm.after_s, "\n".join(last))
    if code:
        raise _failure(argv, code, "\n".join(last))


def is_running() -> bool:
    """Whether there is a `docker` and an engine answers it."""
    try:
        require_running()
    except NotInstalled:
        return False
    return True


def require_running() -> None:
    """Do nothing if there is a `docker` and an engine answers it.

    Raises:
        NotInstalled: With what to do about it.
    """
    if (said := _probe()) is not None:
        raise _not_running(said)


@contextmanager
def _ending(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End the command with the block: first as Ctrl-C does, on which a build tells the engine to stop."""
    assert process.stdout is not None
    try:
        yield
    finally:
        # Somebody has to read what it still says, or it would wait for that and never end.
        rest = threading.Thread(target=deque, args=(process.stdout, 0), name="docker-output")
        rest.start()
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_ENDING_S)
            process.kill()
        process.wait()
        rest.join()
        process.stdout.close()


class _Feeder:
    """Writes the input of a command in a thread, for the time of a block.

    Attributes:
        error: What the writing raised, other than that nobody reads any more.
    """

    def __init__(self, process: subprocess.Popen[bytes], feed: Callable[[IO[bytes]], None] | None) -> None:
        self.error: BaseException | None = None
        self._process = process
        self._feed = feed
        self._thread = threading.Thread(target=self._write, name="docker-input")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._thread.join()

    def _write(self) -> None:
        stdin = self._process.stdin
        if self._feed is None or stdin is None:
            return
        try:
            self._feed(stdin)
        except BrokenPipeError:
            pass  # the command has ended, and says why itself
        except BaseException as error:  # noqa: BLE001  # raised again by the thread that waits for us
            self.error = error
            self._process.kill()  # before it sees the end of its input, and takes a part for the whole
        finally:
            with suppress(BrokenPipeError):
                stdin.close()


class _Alarm:
    """Ends a command that takes too long, for the time of a block; `rang` says whether it did."""

    def __init__(self, process: subprocess.Popen[bytes], after_s: float | None) -> None:
        self.rang = False
        self.after_s = after_s or 0.0
        self._process = process
        self._timer = None if after_s is None else threading.Timer(after_s, self._ring)

    def __enter__(self) -> Self:
        if self._timer is not None:
            self._timer.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()

    def _ring(self) -> None:
        self.rang = True
        self._process.kill()


def _probe() -> str | None:
    """Ask the engine for its version; None when it answers, else what `docker` said."""
    try:
        done = subprocess.run(
            ["docker", *_PROBE], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=_PROBE_LIMIT_S
        )
    except OSError as error:
        raise _not_installed(error) from error
    except subprocess.TimeoutExpired:
        return f"it did not answer within {_PROBE_LIMIT_S:g} s"
    return _text(done.stderr).strip() if done.returncode else None


def _failure(argv: Sequence[str], code: int, logs: str) -> NotInstalled | EngineFailed:
    """Name the failure of a command; whether the engine is there is found by asking it, not by reading texts."""
    if (said := _probe()) is not None:
        return _not_running(said, logs)
    return EngineFailed(f"`{_name(argv)}` failed with exit code {code}", logs=logs, exit_code=code)


def _too_late(argv: Sequence[str], timeout_s: float, logs: str) -> EngineFailed:
    return EngineFailed(f"`{_name(argv)}` was ended after {timeout_s:g} s, before it was done", logs=logs)


def _not_installed(error: OSError) -> NotInstalled:
    return NotInstalled(
        f"the `docker` command cannot be run: {error.strerror or error}",
        hint="install Docker, see https://docs.docker.com/get-started/get-docker; `openenv serve` works without it",
    )


def _not_running(said: str, logs: str = "") -> NotInstalled:
    if "permission denied" in said.lower():
        return NotInstalled(
            f"the Docker engine does not let this user in: {_tail(said, 1)}",
            hint="join the group `docker` and log in again, or run the engine rootless",
        )
    return NotInstalled(
        f"the Docker engine does not answer: {_tail(said, 1)}",
        logs=logs,
        hint="start it: `sudo systemctl start docker` on Linux, or open Docker Desktop; DOCKER_HOST says where it is",
    )


def _name(argv: Sequence[str]) -> str:
    """Name a command by its words before the first option: what follows may be long, or not for everybody's eyes."""
    words = list(takewhile(lambda word: not word.startswith("-"), argv))
    return " ".join(["docker", *words[:2]])


def _tail(text: str, lines: int = _LAST_LINES) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")
