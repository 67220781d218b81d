"""The interpreter that an episode's code runs in. It is handed over as text (`python -c`), so it imports nothing of ours.

It runs in one process with code that may do anything to it. So nothing that it says is trusted: the warden takes it as
that code's own word.
"""

import json
import linecache
import os
import random
import resource
import sys
import traceback
from contextlib import suppress
from typing import Any

_SHOWN = 2_000  # characters of an exception


class Interpreter:
    """Runs pieces of code in one namespace.

    Args:
        seed: Of `random`, or None.
        cpu_s: Processor time that a step may take.
    """

    def __init__(self, seed: int | None, cpu_s: int) -> None:
        random.seed(seed)
        self._cpu_s = cpu_s
        self._names: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
        self._outputs = os.dup(1), os.dup(2)  # in case code closes those
        self._steps = 0
        self._process = os.getpid()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what is asked, and say how it went; nothing that code raises gets out of here."""
        self._prepare()
        reply: dict[str, Any] = {"id": request["id"], "exit_code": 0, "exception": None, "result": None}
        try:
            if "code" in request:
                self._run(request["code"])
            else:
                reply["result"] = json.dumps(self._names[request["call"]](*request["arguments"]))
        except SystemExit as ended:
            reply["exit_code"] = _status(ended.code)
        except BaseException as error:  # noqa: BLE001  # whatever it is, it is that code's own
            reply["exit_code"] = 1
            reply["exception"] = _told(error)
        for stream in (sys.stdout, sys.stderr):
            with suppress(BaseException):  # whatever code has put in its place
                stream.flush()
        if os.getpid() != self._process:  # code has forked, and this is the child
            os._exit(reply["exit_code"])
        return reply

    def _prepare(self) -> None:
        for number, kept in enumerate(self._outputs, start=1):
            os.dup2(kept, number)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", errors="replace", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="replace", closefd=False)
        used = resource.getrusage(resource.RUSAGE_SELF)
        _, most = resource.getrlimit(resource.RLIMIT_CPU)
        soft = min(int(used.ru_utime + used.ru_stime) + self._cpu_s, most)
        resource.setrlimit(resource.RLIMIT_CPU, (soft, most))

    def _run(self, code: str) -> None:
        self._steps += 1
        name = f"<step {self._steps}>"
        linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
        exec(compile(code, name, "exec"), self._names)  # noqa: S102  # it is what all this is for


def _status(code: Any) -> int:
    """Say what `sys.exit(code)` would leave to the shell."""
    return code & 0xFF if isinstance(code, int) else int(code is not None)


def _told(error: BaseException) -> str:
    """Print the traceback, and give its last line. Either may fail: both call code that is not ours."""
    name = type(error).__name__
    try:
        inner = error.__traceback__.tb_next if error.__traceback__ else None  # without our own frame
        traceback.print_exception(type(error), error, inner.tb_next if inner else None)
        return f"{name}: {error}"[:_SHOWN]
    except BaseException:  # noqa: BLE001  # as above
        return name


def main() -> None:
    """Answer requests, a line each, until there are no more."""
    settings = json.loads(sys.argv[1])
    interpreter = Interpreter(settings["seed"], settings["cpu_s"])
    for line in os.fdopen(settings["requests"], "rb"):
        reply = json.dumps(interpreter.answer(json.loads(line))).encode() + b"\n"
        while reply:
            reply = reply[os.write(settings["replies"], reply) :]


if __name__ == "__main__":
    main()
