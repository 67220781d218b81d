"""`openenv.cli.app`: which commands there are, and how each of them ends."""

from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from openenv.cli.app import app, exit_code
from openenv.errors import ConfigurationError, ConnectFailed, OpenEnvError, ScaffoldError


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_lists_the_commands(option: str) -> None:
    ran = CliRunner().invoke(app, [option])
    assert ran.exit_code == 0
    assert "init" in ran.stdout


@pytest.mark.parametrize("arguments", [[], ["no-such-command"], ["init"], ["init", "my_env", "--no-such-option"]])
def test_misuse_ends_with_2_and_says_how_it_is_used(arguments: list[str]) -> None:
    ran = CliRunner().invoke(app, arguments)
    assert ran.exit_code == 2
    assert "Usage: " in ran.output


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ScaffoldError("no"), 2),
        (ScaffoldError("no", exit_code=1), 1),
        (ConfigurationError("no"), 2),
        (ConnectFailed("no"), 1),
        (OpenEnvError("no"), 1),
    ],
)
def test_error_decides_the_exit_code(error: OpenEnvError, code: int) -> None:
    assert exit_code(error) == code


def _app_that_raises(raised: BaseException) -> typer.Typer:
    """Our app's class of commands, with one command that fails."""
    failing = typer.Typer(cls=app.info.cls, pretty_exceptions_enable=False)

    @failing.callback()
    def several() -> None: ...

    @failing.command()
    def fail(word: Annotated[str, typer.Argument()] = "") -> None:
        raise raised

    return failing


def test_expected_error_is_a_sentence_and_a_hint_on_standard_error() -> None:
    failing = _app_that_raises(ScaffoldError("[bold]x[/] is taken :cat:", hint="try y"))
    ran = CliRunner().invoke(failing, ["fail"])
    assert ran.exit_code == 2
    assert ran.stdout == ""
    assert ran.stderr == "error: [bold]x[/] is taken :cat:\nhint: try y\n"


def test_error_without_advice_has_no_hint() -> None:
    ran = CliRunner().invoke(_app_that_raises(ConnectFailed("nobody is there")), ["fail"])
    assert ran.exit_code == 1
    assert ran.stderr == "error: nobody is there\n"


def test_interrupt_ends_with_130() -> None:
    ran = CliRunner().invoke(_app_that_raises(KeyboardInterrupt()), ["fail"])
    assert ran.exit_code == 130


def test_mistake_of_ours_keeps_its_traceback() -> None:
    ran = CliRunner().invoke(_app_that_raises(ZeroDivisionError("ours")), ["fail"])
    assert ran.exit_code == 1
    assert isinstance(ran.exception, ZeroDivisionError)
