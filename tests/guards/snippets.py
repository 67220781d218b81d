"""The snippets of a page, run as its reader would run them.

A page becomes one Python program with the page's own line numbers, run in a folder of its own: a python fence is its
own text, a bash fence is a call that runs it (its `cd` carries on to the next fence). Fences in other languages are not
run. `://localhost:8000` in the page becomes the address of a free port; nothing else is replaced. A comment on the line
above a fence directs it:

    <!-- test: skip, REASON -->     it is not run
    <!-- test: file=PATH -->        it is written to that file, not run; in any language
    <!-- test: server -->           it is a bash fence that serves: run in the background with `--port N` appended
    <!-- test: server=my_env -->    before it runs, my_env is scaffolded, unless it is there, and served

A page has one server at a time; a second one replaces the first. Only the standard library is used, because the page's
program imports this file.
"""

import atexit
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PageFailed", "Snippet", "SnippetError", "bash", "parse", "program", "run_page", "serve", "write"]

_FENCE = re.compile(r"(?P<indent>\s*)(?P<ticks>`{3,}|~{3,})\s*(?P<language>[\w+-]*)[^`]*")
_COMMENT = re.compile(r"\s*<!--\s*test:\s*(?P<directive>.*?)\s*-->\s*")
_DIRECTIVES = {"skip": r"skip, *(\S.*)", "file": r"file=(\S+)", "server": r"server(?:=(\w+))?"}
_MISNAMED = {"py": "python", "python3": "python", "sh": "bash", "shell": "bash", "zsh": "bash"}
_READY_S = 30
_STOP_S = 10


class SnippetError(Exception):
    """A page cannot be tested as it is written."""


class PageFailed(Exception):
    """A snippet of a page failed when it was run."""


@dataclass(frozen=True)
class Snippet:
    """One fence: the line it opens on (from 1), its language, its text, and the directive above it, taken apart."""

    line: int
    language: str
    text: str
    verb: str = ""
    argument: str = ""


def parse(page: str) -> list[Snippet]:
    """List the fences of a page that are run, written or skipped; raise SnippetError where the page is in error."""
    found: list[Snippet] = []
    verb = argument = ""
    lines = enumerate(page.splitlines(), start=1)
    for number, line in lines:
        if not verb and (comment := _COMMENT.fullmatch(line)):
            verb, argument = _direct(number, comment["directive"])
        elif fence := _FENCE.fullmatch(line):
            text = _text(number, fence, lines)
            language = fence["language"].lower()
            if language in _MISNAMED:
                raise SnippetError(f"line {number}: write {_MISNAMED[language]}, not {language}, so that it is tested")
            if verb == "server" and not argument and language != "bash":
                raise SnippetError(f"line {number}: only a bash fence can be the server; name one: server=my_env")
            if verb or language in ("python", "bash"):
                found.append(Snippet(number, language, text, verb, argument))
            verb = argument = ""
        elif line.strip() and verb:
            raise SnippetError(f"line {number}: a fence must follow the directive above")
    if verb:
        raise SnippetError("the page ends after a directive; a fence must follow it")
    return found


def _direct(number: int, directive: str) -> tuple[str, str]:
    for verb, form in _DIRECTIVES.items():
        if match := re.fullmatch(form, directive):
            return verb, match[1] or ""
    known = "'skip, REASON', 'file=PATH', 'server' and 'server=NAME'"
    raise SnippetError(f"line {number}: unknown directive {directive!r}; there are {known}")


def _text(number: int, fence: re.Match[str], lines: Iterator[tuple[int, str]]) -> str:
    """Take the lines of the fence that has just opened, without its indentation."""
    taken: list[str] = []
    for _, line in lines:
        closing = line.strip()
        if len(closing) >= len(fence["ticks"]) and set(closing) == {fence["ticks"][0]}:
            return "\n".join(taken)
        taken.append(line.removeprefix(fence["indent"]))
    raise SnippetError(f"line {number}: the fence is never closed")


def program(page: str, port: int) -> str:
    """Translate a page to the Python program that its reader would have run."""
    page = page.replace("://localhost:8000", f"://localhost:{port}")
    lines = [""] * len(page.splitlines())
    for snippet in parse(page):
        lines[snippet.line - 1] = "; ".join(_calls(snippet, port))
        if snippet.language == "python" and snippet.verb not in ("skip", "file"):
            text = snippet.text.splitlines()
            lines[snippet.line : snippet.line + len(text)] = text
    lines[:1] = ["import snippets as _page; " + "".join(lines[:1])]
    return "\n".join(lines) + "\n"


def _calls(snippet: Snippet, port: int) -> Iterator[str]:
    if snippet.verb == "file":
        yield f"_page.write({snippet.argument!r}, {snippet.text!r})"
    elif snippet.verb == "server" and not snippet.argument:
        yield f"_page.serve({snippet.text!r}, {port})"
    elif snippet.verb != "skip":
        if name := snippet.argument:
            yield f"_page.serve('[ -e {name} ] || openenv init {name}\\nopenenv serve {name}', {port})"
        if snippet.language == "bash":
            yield f"_page.bash({snippet.text!r})"


def write(path: str, text: str) -> None:
    """Write a snippet to a file, in the page's own folder or below it."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text + "\n")


def bash(text: str) -> None:
    """Run a snippet in bash, then go where its `cd` went; any command of it that fails is an error."""
    with tempfile.NamedTemporaryFile("r") as folder:
        command = ["bash", "-euo", "pipefail", "-c", f"{text}\npwd > '{folder.name}'"]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        os.chdir(folder.read().strip())


_serving = contextlib.ExitStack()
atexit.register(_serving.close)


def serve(text: str, port: int) -> None:
    """Start the server that a snippet starts, on `port`, in place of the one before; return when it listens."""
    _serving.close()
    text = re.sub(r"\s+#[^\n]*$", "", text)
    command = ["bash", "-euo", "pipefail", "-c", f"{text} --port {port}"]
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, process_group=0)
    _serving.callback(_stop, server)
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("localhost", port), timeout=1):
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            raise PageFailed(f"the server ended with exit code {server.wait(0.05)}")
    raise PageFailed(f"the server does not listen on port {port} after {_READY_S} s")


def _stop(server: subprocess.Popen[bytes]) -> None:
    _signal_group(server, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(_STOP_S)
    _signal_group(server, signal.SIGKILL)  # what bash started and left behind
    server.wait()


def _signal_group(leader: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader.pid, number)


def run_page(name: str, page: str, folder: Path, limit_s: float) -> str:
    """Run a page in `folder` and return what it printed; raise PageFailed, with all of that, if a snippet fails."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    path = folder / Path(name).name
    path.write_text(program(page, port))
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(Path(__file__).parent),
        "PYTHONUNBUFFERED": "1",
    }
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [sys.executable, path.name],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            process_group=0,
        )
        outcome = _wait(process, limit_s)
        output.seek(0)
        printed = output.read()
    if outcome:
        raise PageFailed(f"{name}: {outcome}\n{printed}")
    return printed


def _wait(process: subprocess.Popen[bytes], limit_s: float) -> str:
    """Wait for a page to end; return what went wrong with it, or nothing."""
    try:
        code = process.wait(limit_s)
        return f"exit code {code}" if code else ""
    except subprocess.TimeoutExpired:
        _signal_group(process, signal.SIGINT)  # on which it still stops its server
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_STOP_S + 5)
        return f"still running after {limit_s} s"
    finally:
        _signal_group(process, signal.SIGKILL)  # what its snippets left in the background
        process.wait()
