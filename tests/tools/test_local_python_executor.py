"""`PyExecutor`, over the interpreter of smolagents."""

import sys

import pytest

from openenv.errors import NotInstalled
from openenv.tools import CodeExecResult, PyExecutor


@pytest.fixture
def executor() -> PyExecutor:
    pytest.importorskip("smolagents", reason="smolagents is not installed")
    return PyExecutor(["json"])


@pytest.mark.parametrize(
    ("code", "stdout"),
    [
        ("print('hi')\nprint(2)", "hi\n2\n"),
        ("1 + 1", "2\n"),
        ("print('a')\n'b'", "a\n'b'\n"),
        ("x = 5", ""),
        ("None", ""),
        ("", ""),
        ("import json\nprint(json.dumps({'a': [1]}))", '{"a": [1]}\n'),
        ("def f(n):\n    return n * 2\nprint(sum(f(i) for i in range(4)))", "12\n"),
    ],
)
def test_what_is_printed_comes_back(executor: PyExecutor, code: str, stdout: str) -> None:
    assert executor.run(code) == CodeExecResult(stdout=stdout, stderr="", exit_code=0)


def test_what_one_piece_defines_the_next_one_knows(executor: PyExecutor) -> None:
    executor.run("x = 40")
    assert executor.run("x + 2").stdout == "42\n"
    assert PyExecutor().run("x").exit_code == 1


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("print('before')\n1 / 0", "ZeroDivisionError"),
        ("print('before')\nraise ValueError('mine')", "mine"),
        ("print('before')\nimport os", "Import of os is not allowed"),
        ("print('before')\nopen('/etc/passwd')", "open"),
        ("print('before')\nexit()", "exit"),
    ],
)
def test_what_goes_wrong_is_a_result_and_the_next_piece_runs(executor: PyExecutor, code: str, said: str) -> None:
    result = executor.run(code)
    assert (result.stdout, result.exit_code) == ("before\n", 1)
    assert said in result.stderr
    assert executor.run("'fine'").stdout == "'fine'\n"


def test_what_is_no_python_is_a_result(executor: PyExecutor) -> None:
    result = executor.run("def (")
    assert (result.stdout, result.exit_code) == ("", 1)
    assert "SyntaxError" in result.stderr


def test_without_smolagents_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "smolagents", None)
    monkeypatch.delitem(sys.modules, "smolagents.local_python_executor", raising=False)
    with pytest.raises(NotInstalled, match="smolagents is not installed, and PyExecutor runs on it") as raised:
        PyExecutor()
    assert raised.value.hint == "pip install smolagents"
