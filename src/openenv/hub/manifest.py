"""`openenv.yaml`: the manifest of an environment folder, read and checked.

Older manifests say less; what they leave out has the value every OpenEnv environment uses.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from openenv.errors import ConfigurationError

__all__ = ["MANIFEST", "Manifest", "read_manifest"]

MANIFEST = "openenv.yaml"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The keys of `openenv.yaml` that are acted on; others are left alone.

    Attributes:
        name: The environment's name.
        app: Where the ASGI app is, from the folder, as `module:attribute`.
        port: The port it likes to be served on.
        max_sessions: Sessions at once; None for the app's own.
    """

    name: str
    app: str = "server.app:app"
    port: int = 8000
    max_sessions: int | None = None


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of an environment folder.

    Raises:
        ConfigurationError: There is none, or a value in it does not fit; the key is named.
    """
    path = folder / MANIFEST
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"{folder} has no {MANIFEST}, so it is no environment; go to one, or name its folder"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    try:
        given = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a ValueError for a date that is none
        raise ConfigurationError(f"{path} is not YAML: {_in_one_line(error)}") from error
    if not isinstance(given, dict):
        raise ConfigurationError(f"{path} must hold keys and values, such as `name: my_env`")
    return _checked(given, path)


def _checked(given: dict[Any, Any], path: Path) -> Manifest:
    known = {field.name for field in fields(Manifest)}
    values = {key: value for key, value in given.items() if key in known and value is not None}
    name = values.get("name")
    if not isinstance(name, str) or not name:
        said = "missing" if name is None else repr(name)
        raise ConfigurationError(f"{path}: `name` is {said}; write `name: my_env`")
    app = values.get("app", Manifest.app)
    if not isinstance(app, str) or not all(app.partition(":")):
        raise ConfigurationError(f"{path}: `app` is {app!r}; write it as module:attribute, such as {Manifest.app}")
    for key, least, most in (("port", 0, 65535), ("max_sessions", 1, 2**31 - 1)):
        value = values.get(key, least)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            wanted = f"a whole number from {least} to {most}"
            raise ConfigurationError(f"{path}: `{key}` is {value!r}; it must be {wanted}")
    return Manifest(**values)


def _in_one_line(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return str(error).partition("\n")[0]
