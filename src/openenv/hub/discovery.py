"""Which environments are installed here, as the metadata of their packages says. None of their code is run.

A package says it best itself, by the entry point group `openenv.environments`: `my_env = "my_env:MyEnv"`, the name of
the environment and its client. Without that, a package counts when it carries an `openenv.yaml`, or when its
distribution is called `openenv-...`; which classes are its client and its actions is found out by whoever imports it.
The answer is read anew each time: that takes some tens of milliseconds, and what was installed a moment ago is there.
"""

import contextlib
import importlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import Distribution, EntryPoint, distributions
from importlib.util import find_spec
from pathlib import Path

import yaml

from openenv.errors import ConfigurationError
from openenv.hub.image import default_tag
from openenv.hub.manifest import MANIFEST

__all__ = ["GROUP", "InstalledEnvironment", "find_installed", "git_address", "list_installed"]

GROUP = "openenv.environments"

_PREFIX = "openenv-"
_NO_ENVIRONMENTS = frozenset({"openenv-core", "openenv-runtime"})
_CARRIED = re.compile(rf"^(\w+)/{re.escape(MANIFEST)},", re.MULTILINE)
_NAME = re.compile(r"^Name: *(\S+)", re.MULTILINE)
_CREDENTIALS = re.compile(r"(?<=//)[^/@\s]+@")


@dataclass(frozen=True)
class InstalledEnvironment:
    """An environment of an installed package.

    Attributes:
        name: By which it is asked for, such as `echo_env`.
        package: What is imported.
        distribution: What pip calls it.
        version: Of the distribution.
        description: Its summary; empty when it has none.
        client: `module:Class` of its client where the package says so, else None.
        folder: Where its `openenv.yaml` is; None when it was not packaged.
        origin: The address of the git repository it was installed from; None for anything else.
    """

    name: str
    package: str
    distribution: str
    version: str
    description: str = ""
    client: str | None = None
    folder: Path | None = None
    origin: str | None = None

    @property
    def image(self) -> str:
        """What `openenv build` calls its image."""
        return default_tag(self.name)


def list_installed() -> list[InstalledEnvironment]:
    """List the environments that are installed now, by name."""
    importlib.invalidate_caches()
    seen: set[str] = set()
    found: list[InstalledEnvironment] = []
    for distribution in distributions():
        # Not by `distribution.metadata`, which takes a millisecond for each. A broken installation may lack its name.
        told = _NAME.search(distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or "")
        name = re.sub(r"[-_.]+", "-", told[1]).lower() if told else ""
        # Of two of one name, the first is the one that is imported.
        if name and name not in seen and name not in _NO_ENVIRONMENTS:
            seen.add(name)
            found += _environments_of(distribution, name)
    return sorted(found, key=lambda environment: (environment.name, environment.distribution))


def find_installed(name: str, among: Sequence[InstalledEnvironment]) -> InstalledEnvironment:
    """Find the environment that is meant by `echo`, `echo_env`, `echo-env` or the name of its distribution.

    Raises:
        ConfigurationError: There is none, or there are several.
    """
    for spell in (_exactly, _spelled, _loosely):
        met = [
            each for each in among if spell(name) in {spell(each.distribution), spell(each.package), spell(each.name)}
        ]
        if len(met) > 1:
            listed = ", ".join(f"{each.name} of {each.distribution}" for each in met)
            raise ConfigurationError(f"several environments are called {name!r}: {listed}; name the distribution")
        if met:
            return met[0]
    names = {_loosely(each.name): each.name for each in among}
    close = [names[each] for each in get_close_matches(_loosely(name), names)]
    listed = ", ".join(sorted(names.values())) or "none at all"
    there = f"did you mean {' or '.join(close)}?" if close else f"there are: {listed}."
    raise ConfigurationError(
        f"no environment {name!r} is installed; {there} Install its package, or name a Space as owner/name"
    )


def git_address(url: str) -> str:
    """Spell the address of a git repository so that two of one repository are equal."""
    return _CREDENTIALS.sub("", url.removeprefix("git+")).rstrip("/").removesuffix(".git").lower()


def _environments_of(distribution: Distribution, name: str) -> Iterator[InstalledEnvironment]:
    points = [point for point in distribution.entry_points if point.group == GROUP]
    said: list[tuple[str, EntryPoint | None]] = [(point.module.partition(".")[0], point) for point in points]
    for package, point in said or [(package, None) for package in _packages(distribution, name)]:
        folder = _folder_of(package)
        has_manifest = folder is not None and (folder / MANIFEST).is_file()
        if point is None and not has_manifest and not (folder is not None and (folder / "client.py").is_file()):
            continue
        yield InstalledEnvironment(
            name=point.name if point else _name_of(folder if has_manifest else None) or package,
            package=package,
            distribution=distribution.metadata["Name"],
            version=distribution.version,
            description=distribution.metadata["Summary"] or "",
            client=point.value if point else None,
            folder=folder if has_manifest else None,
            origin=_origin(distribution),
        )


def _packages(distribution: Distribution, name: str) -> list[str]:
    """Name the packages that may be environments, as the list of the installed files tells them."""
    if carried := _CARRIED.findall(distribution.read_text("RECORD") or ""):
        return sorted(set(carried))
    if not name.startswith(_PREFIX):
        return []
    # An editable installation lists none of the package's files.
    told = (distribution.read_text("top_level.txt") or "").split()
    return told or [name.removeprefix(_PREFIX).replace("-", "_")]


def _folder_of(package: str) -> Path | None:
    with contextlib.suppress(ImportError, ValueError):  # a name that is none, or a module that was tampered with
        spec = find_spec(package)
        for place in (spec.submodule_search_locations or ()) if spec else ():
            return Path(place)
    return None


def _name_of(folder: Path | None) -> str | None:
    """Read the name in a manifest; one that cannot be read says nothing, and is told when it is served."""
    if folder is None:
        return None
    with contextlib.suppress(OSError, ValueError, RecursionError, yaml.YAMLError):
        given = yaml.safe_load((folder / MANIFEST).read_text(encoding="utf-8"))
        name = given.get("name") if isinstance(given, dict) else None
        return name if isinstance(name, str) and name else None
    return None


def _origin(distribution: Distribution) -> str | None:
    """Read where pip says the distribution comes from, see PEP 610."""
    with contextlib.suppress(ValueError):
        told = json.loads(distribution.read_text("direct_url.json") or "null")
        if isinstance(told, dict) and isinstance(told.get("url"), str) and "vcs_info" in told:
            return git_address(told["url"])
    return None


def _exactly(name: str) -> str:
    return name


def _spelled(name: str) -> str:
    return re.sub(r"[-_.]+", "_", name.lower()).removeprefix("openenv_")


def _loosely(name: str) -> str:
    return _spelled(name).removesuffix("_env")
