"""`openenv.cli.output`: what goes where, and how it looks."""

import pytest

from openenv.cli import output
from openenv.errors import OpenEnvError


def test_long_lines_are_not_wrapped(capsys: pytest.CaptureFixture[str]) -> None:
    output.answer("word " * 100)
    output.note("word " * 100)
    captured = capsys.readouterr()
    assert captured.out == captured.err == "word " * 100 + "\n"


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_no_color_is_honoured(
    no_color: str, coloured: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", no_color)
    output.error(OpenEnvError("no"))
    assert ("\x1b[1;31m" in capsys.readouterr().err) is coloured


def test_without_a_terminal_progress_is_its_lines_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    with output.progress("Building") as on_line:
        on_line("[bold]step 1[/bold]")
    assert capsys.readouterr().err == "[bold]step 1[/bold]\n"


def test_in_a_terminal_progress_says_what_goes_on_and_keeps_the_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    with output.progress("Building [it]") as on_line:
        on_line("[bold]step 1[/bold]")
    captured = capsys.readouterr()
    assert "[bold]step 1[/bold]\n" in captured.err
    assert "Building [it]" in captured.err
    assert captured.out == ""
