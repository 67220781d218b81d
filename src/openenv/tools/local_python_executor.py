"""Python by the interpreter of smolagents, which runs an agent's code with few imports and no file of this machine.

It is no wall: what has to be kept apart from this process is served with `openenv serve --isolation process`, or runs
in a container.
"""

import ast
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from openenv.env.http_models import BaseMessage
from openenv.errors import NotInstalled

__all__ = ["CodeExecResult", "PyExecutor"]


class CodeExecResult(BaseMessage):
    """What became of a piece of code that was run."""

    stdout: str
    stderr: str
    exit_code: int


class PyExecutor:
    """Runs pieces of Python one after another; what one defines, the next one knows.

    Args:
        additional_imports: Modules that may be imported beside a few of the standard library; "*" for all.

    Raises:
        NotInstalled: smolagents is not installed.
    """

    def __init__(self, additional_imports: Sequence[str] | None = None) -> None:
        try:
            library = import_module("smolagents.local_python_executor")
        except ImportError as error:
            raise NotInstalled(
                "smolagents is not installed, and PyExecutor runs on it", hint="pip install smolagents"
            ) from error
        self._executor: Any = library.LocalPythonExecutor(additional_authorized_imports=list(additional_imports or ()))
        self._executor.send_tools({})  # without which it has no builtins either

    def run(self, code: str) -> CodeExecResult:
        """Run a piece of code. An exception in it is an exit code of 1, with the message in `stderr`.

        As a console does, it prints the value of a last expression that is not None.
        """
        try:
            value = self._executor(code).output
        except Exception as error:  # noqa: BLE001  # the code may raise anything, which is the result
            return CodeExecResult(stdout=self._printed(), stderr=f"{type(error).__name__}: {error}", exit_code=1)
        shown = f"{value!r}\n" if value is not None and _ends_with_expression(code) else ""
        return CodeExecResult(stdout=self._printed() + shown, stderr="", exit_code=0)

    def _printed(self) -> str:
        return str(getattr(self._executor.state.get("_print_outputs"), "value", ""))


def _ends_with_expression(code: str) -> bool:
    body = ast.parse(code).body  # it has run, so it can be parsed
    return bool(body) and isinstance(body[-1], ast.Expr)
