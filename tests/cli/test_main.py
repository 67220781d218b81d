"""The `openenv` command as it is started."""

import subprocess
import sys
from importlib.metadata import version

import pytest

from openenv.cli.__main__ import main


def _openenv(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "openenv.cli", *arguments], capture_output=True, text=True, check=False
    )


def test_version_is_data() -> None:
    ran = _openenv("--version")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"openenv-runtime {version('openenv-runtime')}\n", "")


def test_main_runs_the_app_under_its_own_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["__main__.py", "--help"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0
    assert "Usage: openenv " in capsys.readouterr().out
