"""What the commands that talk to the Hub have in common; tests of `push` and `fork` log in."""

import pytest

from openenv.cli.hub import secrets, variables
from openenv.errors import ConfigurationError


def test_variables_are_pairs_of_which_the_value_may_be_anything() -> None:
    assert variables(["A=1", "_b=", "A=x=y"], "--set") == {"A": "x=y", "_b": ""}
    for wrong in ("A", "=1", "1A=2", "A B=3", ""):
        with pytest.raises(ConfigurationError, match=r"--set .* is no variable; write NAME=VALUE"):
            variables([wrong], "--set")


def test_secrets_are_names_of_variables(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("MINE", "hush")
    monkeypatch.delenv("GONE", raising=False)
    assert secrets(["MINE"], "--hide") == {"MINE": "hush"}
    assert capsys.readouterr().err == ""
    assert secrets(["KEY=sk-1"], "--hide") == {"KEY": "sk-1"}
    said = capsys.readouterr().err
    assert "set KEY, and say --hide KEY" in said
    assert "sk-1" not in said
    with pytest.raises(
        ConfigurationError, match="--hide GONE takes the value from the variable GONE, which is not set"
    ):
        secrets(["GONE"], "--hide")
    with pytest.raises(ConfigurationError, match="--hide is no name of a variable") as raised:
        secrets(["sk-2=x"], "--hide")
    assert "sk-2" not in str(raised.value)
