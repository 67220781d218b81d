"""The first process in a sandbox: keeps an interpreter, hands it code, holds it to its limits, and tells what happened.

Started as a file by `sandbox.py`, with its settings as an argument. Reads requests from its standard input, a line of
JSON each, and answers each with one line. It ends with its input, and everything in the sandbox ends with it.
"""

import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .walls import Refused, Walls, give_up_privileges
else:  # beside it, as this runs as a file
    walls = import_module("walls")
    Refused, Walls, give_up_privileges = walls.Refused, walls.Walls, walls.give_up_privileges

_PIECE = 65_536
_PIPE_PIECES = 32
_MAX_REPLY_BYTES = 1_000_000
_MAX_TEXT = 10_000
_DYING_S = 0.3
_MB = 1024 * 1024


class Interpreter:
    """A process that runs `interpreter.py`, with all that it starts.

    Args:
        settings: What `sandbox.py` sends.
        user: Whom it runs as; None for the user that this process runs as.
        is_walled: Whether this is the first process of a namespace, and so sees only those of the sandbox.
    """

    def __init__(self, settings: dict[str, Any], user: int | None, *, is_walled: bool) -> None:
        self._limits = settings["limits"]
        requests, self._requests = os.pipe()
        pipes = {name: os.pipe() for name in ("stdout", "stderr", "reply")}
        self._channels = {name: reading for name, (reading, _) in pipes.items()}
        stdout, stderr, replies = (writing for _, writing in pipes.values())
        told = {"requests": requests, "replies": replies, "seed": settings["seed"], "cpu_s": self._limits["cpu_s"]}
        as_whom: dict[str, Any] = {} if user is None else {"user": user, "group": user, "extra_groups": []}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-s", "-B", "-X", "utf8", "-c", settings["program"], json.dumps(told)],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env=settings["environment"] | {"HOME": os.getcwd(), "TMPDIR": os.getcwd()},
            pass_fds=(requests, replies),
            start_new_session=True,
            preexec_fn=lambda: _hold(self._limits, is_walled=is_walled),  # noqa: PLW1509  # there is one thread
            **as_whom,
        )
        for number in (requests, stdout, stderr, replies):
            os.close(number)
        for number in (self._requests, *self._channels.values()):
            os.set_blocking(number, False)
        # Minus one is every process that can be seen, but for the first; else it is the process group.
        self._everyone = -1 if is_walled else -self._process.pid

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Hand over a request, wait for the reply, and say what came; `has_ended` when no other can be handed over."""
        self._signal(signal.SIGCONT)
        heard = _Heard(self._limits["output_bytes"])
        deadline = time.monotonic() + request["wall_s"]
        with selectors.DefaultSelector() as selector:
            selector.register(self._requests, selectors.EVENT_WRITE, memoryview(json.dumps(request).encode() + b"\n"))
            for name, number in self._channels.items():
                selector.register(number, selectors.EVENT_READ, name)
            while not heard.all and (left := deadline - time.monotonic()) > 0:
                for key, _ in selector.select(left):
                    if key.fd == self._requests:
                        _write(selector, key)
                    elif not heard.take(key.data, os.read(key.fd, _PIECE)):
                        selector.unregister(key.fd)
        said = heard.reply(request["id"])
        ending = {} if said is not None else self._end(timed_out=not heard.all)
        self._signal(signal.SIGSTOP)  # what code has left running waits for the next request
        self._drain(heard)
        self._reap()
        return {**heard.outputs(), "timed_out": False, "has_ended": said is None, **(said or ending)}

    def end(self) -> int:
        """Kill everything that runs; give the exit code, that of a kill too."""
        self._signal(signal.SIGKILL)
        return self._process.wait()

    def close(self) -> None:
        """Let go of the pipes, once it has ended."""
        for number in (self._requests, *self._channels.values()):
            os.close(number)

    def _end(self, *, timed_out: bool) -> dict[str, Any]:
        """End it, as it gave no proper reply, and say why there was none."""
        with suppress(subprocess.TimeoutExpired):
            if not timed_out:
                self._process.wait(_DYING_S)
        code = self._process.poll()
        self.end()
        if timed_out:
            return {"timed_out": True, "exit_code": -signal.SIGKILL, "exception": None}
        if code is None:
            return {"exit_code": -signal.SIGKILL, "exception": "the interpreter's own pipes were closed or written to"}
        return {"exit_code": code, "exception": f"the interpreter {_ending(code)}"}

    def _drain(self, heard: "_Heard") -> None:
        """Take what is in the pipes still; no more than a pipe holds, as a stopped process may not have stopped yet."""
        for name in ("stdout", "stderr"):
            with suppress(BlockingIOError):
                for _ in range(_PIPE_PIECES):
                    if not heard.take(name, os.read(self._channels[name], _PIECE)):
                        break

    def _reap(self) -> None:
        """Bury processes that were started by code and left by their parents."""
        with suppress(ChildProcessError):
            while (dead := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
                if dead.si_pid == self._process.pid:
                    return  # as `wait` is to hear of it
                os.waitpid(dead.si_pid, 0)

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._everyone, number)


class _Heard:
    """What has come through the pipes since a request."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._texts = {"stdout": bytearray(), "stderr": bytearray(), "reply": bytearray()}
        self._is_cut = False
        self.all = False  # whether the reply is there, or cannot come any more

    def take(self, name: str, data: bytes) -> bool:
        """Keep what there is room for; False at the end of a pipe."""
        text = self._texts[name]
        if name == "reply":
            text += data
            self.all = not data or b"\n" in data or len(text) > _MAX_REPLY_BYTES
        else:
            room = self._most_bytes - len(text)
            text += data[:room]
            self._is_cut = self._is_cut or len(data) > room
        return bool(data)

    def reply(self, wanted: int) -> dict[str, Any] | None:
        """Give the reply if it is one to that request."""
        text = self._texts["reply"]
        if len(text) > _MAX_REPLY_BYTES:  # also when it came to an end in the last piece
            return None
        try:
            said = json.loads(text)
            if said.pop("id") != wanted:
                return None
            return {key: kind(said[key]) for key, kind in _REPLY.items()}
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError):  # code wrote it
            return None

    def outputs(self) -> dict[str, Any]:
        """Give what was printed."""
        texts = {name: self._texts[name].decode(errors="replace") for name in ("stdout", "stderr")}
        return {**texts, "truncated_output": self._is_cut}


def _text(value: Any) -> str | None:
    """Make it text that can be sent on, and not too much of it."""
    return None if value is None else str(value)[:_MAX_TEXT].encode(errors="replace").decode()


# What a reply says, and what each part is made: code might write its own reply, and is held to these.
_REPLY: dict[str, Callable[[Any], Any]] = {"exit_code": int, "exception": _text, "result": _text}


def _ending(code: int) -> str:
    if code >= 0:
        return "was left"
    known = {each.value: each.name for each in signal.Signals}
    return f"was ended by {known.get(-code, f'signal {-code}')}"


def _write(selector: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    """Write what the pipe takes of a request; forget the rest when nobody reads it."""
    try:
        left = key.data[os.write(key.fd, key.data) :]
    except BrokenPipeError:
        left = b""
    if left:
        selector.modify(key.fd, selectors.EVENT_WRITE, left)
    else:
        selector.unregister(key.fd)


def _hold(limits: dict[str, int], *, is_walled: bool) -> None:
    """Set the limits of a process that is about to start Python."""
    wanted = {
        resource.RLIMIT_AS: limits["memory_mb"] * _MB,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: limits["cpu_total_s"],
        resource.RLIMIT_FSIZE: limits["file_mb"] * _MB,
        resource.RLIMIT_NOFILE: limits["open_files"],
    }
    if is_walled:  # outside, it counts whatever else this user runs
        wanted[resource.RLIMIT_NPROC] = limits["processes"]
    for kind, most in wanted.items():
        resource.setrlimit(kind, (most, most))
    give_up_privileges()


def main() -> None:
    """Build the sandbox, then answer requests."""
    settings = json.loads(sys.argv[1])
    user = None
    if plan := settings["walls"]:
        try:
            folders = tuple(plan["shown"]), tuple(plan["hidden"])
            user = Walls(Path(plan["root"]), *folders, plan["disk_mb"], plan["files"]).build()
        except (OSError, Refused) as error:
            print(json.dumps({"refused": str(error)}), flush=True)
            return
    print(json.dumps({"refused": None}), flush=True)
    interpreter: Interpreter | None = None
    for line in sys.stdin.buffer:
        interpreter = interpreter or Interpreter(settings, user, is_walled=plan is not None)
        outcome = interpreter.ask(json.loads(line))
        if outcome["has_ended"]:
            interpreter.close()
            interpreter = None
        print(json.dumps(outcome), flush=True)
    if interpreter is not None:
        interpreter.end()


if __name__ == "__main__":
    main()
