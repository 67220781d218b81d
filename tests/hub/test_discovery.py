"""`openenv.hub.discovery`, on folders that look like installed packages."""

import sys
from pathlib import Path

import pytest

from openenv.errors import ConfigurationError
from openenv.hub.discovery import InstalledEnvironment, find_installed, git_address, list_installed
from tests.support.installed import from_git, install

PLAIN = {"__init__.py": "", "client.py": "raise RuntimeError('imported')"}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty site-packages, which is all there is."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    return tmp_path


def package(name: str, **more: str) -> dict[str, str]:
    return {f"{name}/{path}": text for path, text in (PLAIN | more).items()}


def test_nothing_is_installed(site: Path) -> None:
    assert list_installed() == []


def test_what_the_package_says_goes_before_its_names(site: Path) -> None:
    install(
        site,
        "grid-games",
        package("grids", **{"openenv.yaml": "name: something_else"}),
        entry_points="maze = grids:MazeEnv\nsnake = grids.reptiles:Snake",
        metadata=from_git("git+https://user:secret@example.com/Owner/Grids.git"),
    )
    maze, snake = list_installed()
    assert maze == InstalledEnvironment(
        name="maze",
        package="grids",
        distribution="grid-games",
        version="1.2",
        description="A test.",
        client="grids:MazeEnv",
        folder=site / "grids",
        origin="https://example.com/owner/grids",
    )
    assert (snake.name, snake.client, snake.image) == ("snake", "grids.reptiles:Snake", "snake-env:latest")


@pytest.mark.parametrize(
    ("distribution", "files", "listed", "metadata", "found"),
    [
        ("openenv-echo-env", package("echo_env", **{"openenv.yaml": "name: echo"}), True, {}, ("echo", "echo_env")),
        ("openenv-echo-env", package("echo_env"), True, {}, ("echo_env", "echo_env")),
        ("openenv-echo-env", package("echo_env"), False, {}, ("echo_env", "echo_env")),
        ("openenv-echo-env", package("other"), False, {"top_level.txt": "other\n"}, ("other", "other")),
        ("anything", package("thing", **{"openenv.yaml": "name: thing_env"}), True, {}, ("thing_env", "thing")),
        ("anything", package("thing", **{"openenv.yaml": "["}), True, {}, ("thing", "thing")),
        ("anything", package("thing", **{"openenv.yaml": "name: [1]"}), True, {}, ("thing", "thing")),
        ("anything", package("thing"), True, {}, None),
        ("openenv-tools", {"openenv_tools/__init__.py": ""}, True, {}, None),
        ("openenv-gone", {}, True, {"top_level.txt": "gone"}, None),
        ("openenv-core", package("openenv_core", **{"openenv.yaml": "name: x"}), True, {}, None),
        ("OpenEnv.Runtime", package("runtime"), True, {}, None),
    ],
)
def test_packages_that_say_nothing_count_by_their_manifest_or_name(
    site: Path,
    distribution: str,
    files: dict[str, str],
    listed: bool,
    metadata: dict[str, str],
    found: tuple[str, str] | None,
) -> None:
    install(site, distribution, files, is_listed=listed, metadata=metadata)
    assert [(each.name, each.package) for each in list_installed()] == ([found] if found else [])


def test_what_was_installed_a_moment_ago_is_there_and_what_was_removed_is_not(site: Path) -> None:
    for round_number in range(3):
        name = f"openenv-round{round_number}-env"
        info = install(site, name, package(f"round{round_number}_env"))
        assert [each.distribution for each in list_installed()] == [name]
        for path in info.iterdir():
            path.unlink()
        info.rmdir()


def test_broken_metadata_is_passed_over(site: Path) -> None:
    (site / "broken-1.dist-info").mkdir()
    install(site, "openenv-good-env", package("good_env"), metadata={"direct_url.json": "{"})
    (good,) = list_installed()
    assert (good.name, good.origin) == ("good_env", None)


def environment(name: str, package: str | None = None, distribution: str | None = None) -> InstalledEnvironment:
    package = package or name
    return InstalledEnvironment(name, package, distribution or f"openenv-{package.replace('_', '-')}", "1")


ECHO, ENV_ENV, OTHER = environment("echo_env"), environment("my_env_env"), environment("my_env")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("echo", ECHO),
        ("echo_env", ECHO),
        ("echo-env", ECHO),
        ("Echo-Env", ECHO),
        ("openenv-echo-env", ECHO),
        ("my_env", OTHER),
        ("my", OTHER),
        ("my_env_env", ENV_ENV),
    ],
)
def test_names_are_spelled_as_one_likes(name: str, meant: InstalledEnvironment) -> None:
    assert find_installed(name, [ECHO, ENV_ENV, OTHER]) is meant


def test_an_unknown_name_is_told_with_what_there_is() -> None:
    with pytest.raises(
        ConfigurationError, match=r"no environment 'ecco' is installed; did you mean echo_env\? Install"
    ):
        find_installed("ecco", [ECHO, OTHER])
    with pytest.raises(ConfigurationError, match=r"there are: none at all\. Install"):
        find_installed("echo", [])


def test_of_two_of_one_name_none_is_picked() -> None:
    twins = [environment("echo_env", "a_env"), environment("echo_env", "b_env")]
    with pytest.raises(
        ConfigurationError, match=r"several .* 'echo': echo_env of openenv-a-env, echo_env of openenv-b-env"
    ):
        find_installed("echo", twins)
    assert find_installed("openenv-b-env", twins) is twins[1]


def test_addresses_of_one_repository_are_equal() -> None:
    spelled = ["git+https://a:b@hf.co/spaces/A/b.git", "https://hf.co/spaces/A/b/", "https://hf.co/spaces/a/b"]
    assert {git_address(each) for each in spelled} == {"https://hf.co/spaces/a/b"}
