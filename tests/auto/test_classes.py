"""`openenv.auto.classes`: which classes of a package are taken, and what is said when that is in doubt."""

from pathlib import Path

import pytest

from openenv import EnvClient
from openenv.auto.classes import action_class, client_class
from openenv.errors import ConfigurationError
from openenv.hub.discovery import InstalledEnvironment, list_installed
from tests.support.installed import CLIENT, MODELS, install

EXPORTING = "from .client import MoveEnv\nfrom .models import MoveAction, MoveObservation\n"
TWO = f"{EXPORTING}\nclass Other(MoveEnv): ...\nclass OtherAction(MoveAction): ...\n"


def installed(
    site: Path, init: str, *, client: str = CLIENT, models: str = MODELS, entry_points: str = ""
) -> InstalledEnvironment:
    files = {"zig_env/__init__.py": init, "zig_env/client.py": client, "zig_env/models.py": models}
    install(site, "openenv-zig-env", files, entry_points=entry_points)
    (found,) = [each for each in list_installed() if each.distribution == "openenv-zig-env"]
    return found


@pytest.mark.parametrize(
    ("init", "entry_points"),
    [
        (EXPORTING, ""),
        ("", ""),  # as many are: the classes are in their modules only
        (f"{EXPORTING}from openenv import EnvClient, GenericEnvClient, Action\n", ""),
        (f"{TWO}__all__ = ['MoveEnv']", ""),
        (f"{EXPORTING}class _Hidden(MoveEnv): ...", ""),
        ("__all__ = ['MoveEnv']\ndef __getattr__(name):\n    from .client import MoveEnv\n    return MoveEnv", ""),
        (TWO, "zig_env = zig_env:MoveEnv"),
        ("raise RuntimeError", "zig_env = tests.auto.test_classes:Borrowed"),
    ],
)
def test_the_classes_are_found(site: Path, init: str, entry_points: str) -> None:
    environment = installed(site, init, entry_points=entry_points)
    client = client_class(environment)
    assert client.__name__ in ("MoveEnv", "Borrowed")
    if client is not Borrowed:
        assert action_class(environment).__name__ == "MoveAction"


class Borrowed(EnvClient):  # type: ignore[type-arg]
    """A client that says nothing of its types."""


@pytest.mark.parametrize(
    ("init", "client", "entry_points", "complaint"),
    [
        (TWO, CLIENT, "", "exports several subclasses of EnvClient: MoveEnv, Other; say which by 'zig_env:MoveEnv'"),
        ("", "", "", "exports no subclass of EnvClient; skip_install=True does without"),
        (
            "import nothing_like_it",
            CLIENT,
            "",
            "zig_env of openenv-zig-env cannot be imported: ModuleNotFoundError: No",
        ),
        ("1/0", CLIENT, "", "cannot be imported: ZeroDivisionError: division by zero"),
        (
            "",
            "import nothing_like_it",
            "",
            r"zig_env.client of openenv-zig-env cannot be imported: ModuleNotFoundError",
        ),
        ("", CLIENT, "zig_env = zig_env:Gone", "'zig_env:Gone', which is no subclass of EnvClient"),
        ("x = 1", CLIENT, "zig_env = zig_env:x", "which is no subclass of EnvClient"),
        ("", CLIENT, "zig_env = zig_env.gone:X", "zig_env.gone of openenv-zig-env cannot be imported"),
    ],
)
def test_doubt_is_told(site: Path, init: str, client: str, entry_points: str, complaint: str) -> None:
    environment = installed(site, init, client=client, entry_points=entry_points)
    with pytest.raises(ConfigurationError, match=complaint):
        client_class(environment)


def test_one_of_several_can_be_named(site: Path) -> None:
    environment = installed(site, TWO, entry_points="zig_env = zig_env:MoveEnv")
    assert client_class(environment, "Other").__name__ == "Other"
    assert action_class(environment, "OtherAction").__name__ == "OtherAction"
    with pytest.raises(ConfigurationError, match="has no EnvClient 'Third'; it has: MoveEnv, Other"):
        client_class(environment, "Third")


def test_an_untyped_client_leaves_the_action_to_what_is_exported(site: Path) -> None:
    client = "from openenv import EnvClient\nclass MoveEnv(EnvClient): ...\n"
    environment = installed(site, "", client=client)
    assert action_class(environment).__name__ == "MoveAction"
