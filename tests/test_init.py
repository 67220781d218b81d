"""Importing the package: what it costs, what it offers, and what it warns of."""

import subprocess
import sys
from pathlib import Path

import pytest

import openenv


def run(program: str, *site_packages: Path) -> subprocess.CompletedProcess[str]:
    paths = "".join(f"sys.path.append({str(path)!r}); " for path in site_packages)
    return subprocess.run([sys.executable, "-c", f"import sys; {paths}{program}"], capture_output=True, text=True)


def test_import_is_silent() -> None:
    assert run("import openenv").stderr == ""


@pytest.mark.parametrize(("entry", "name"), [("openenv-0.10.0", "openenv"), ("openenv_core-0.3.0", "openenv-core")])
def test_another_distribution_of_the_package_is_warned_of_with_the_cure(tmp_path: Path, entry: str, name: str) -> None:
    site = tmp_path / "site-packages"
    (site / f"{entry}.dist-info").mkdir(parents=True)
    said = run("import openenv", site).stderr
    assert f"{name} is installed beside openenv-runtime" in said
    assert f"pip uninstall -y {name} && pip install --force-reinstall --no-deps openenv-runtime" in said


def test_packages_of_environments_are_not_mistaken_for_it(tmp_path: Path) -> None:
    site = tmp_path / "site-packages"
    for name in ("openenv_runtime-0.1.0", "openenv_my_env-0.1.0", "openenv_maze-0.1.0"):
        (site / f"{name}.dist-info").mkdir(parents=True)
    assert run("import openenv", site).stderr == ""


def test_dir_lists_every_public_name_before_any_is_loaded() -> None:
    assert set(run("import openenv; print(*dir(openenv))").stdout.split()) >= set(openenv.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'openenv' has no attribute 'Enviroment'"):
        _ = openenv.Enviroment
