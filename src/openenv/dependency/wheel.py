"""What an environment depends on: this runtime, by name when it was released, else as a wheel carried along.

A version that no index has is built into a wheel from the package as it is imported here, which needs no build tool and
works for editable installs and ordinary ones. Decides nothing about where the wheel goes.
"""

import base64
import hashlib
import io
import stat
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from openenv.errors import ScaffoldError

__all__ = [
    "DISTRIBUTION",
    "Dependency",
    "Wheel",
    "build_wheel",
    "installed_dependency",
    "is_released",
    "package_files",
    "runs_released",
]

DISTRIBUTION = "openenv-runtime"
_EXTRA = "fast"  # environments are there to be served; who only drives them needs no more than the base
_IN_PLACE = "fast,mcp"  # what environments written for OpenEnv may take for granted
_PACKAGE = Path(__file__).parents[1]
_FIRST_ZIP_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Wheel:
    """A wheel, not yet a file."""

    filename: str
    content: bytes


@dataclass(frozen=True)
class Dependency:
    """The runtime as an environment's `pyproject.toml` asks for it.

    Attributes:
        version: The one installed here; environments accept it and any later one.
        wheel: None when an index has that version.
    """

    version: str
    wheel: Wheel | None = None

    @property
    def requirement(self) -> str:
        """The line under `dependencies`."""
        return self._asked(_EXTRA)

    @property
    def in_place(self) -> str:
        """The requirement that takes the place of one of OpenEnv's distributions, whatever Python that was for."""
        return f"{self._asked(_IN_PLACE)} ; python_version >= '3.11'"

    def _asked(self, extras: str) -> str:
        # PEP 440 has no order among local versions, so `>=` cannot be followed by one.
        return f"{DISTRIBUTION}[{extras}]>={self.version.partition('+')[0]}"

    @property
    def pip_install(self) -> tuple[str, ...]:
        """Command that installs the environment from its own folder; pip does not read `[tool.uv.sources]`."""
        find_links = ("--find-links", "wheels") if self.wheel else ()
        return ("pip", "install", *find_links, "-e", ".")


def installed_dependency(name: str = DISTRIBUTION, package: Path = _PACKAGE) -> Dependency:
    """Say how an environment gets the runtime that is running now, building its wheel if it must.

    Raises:
        ScaffoldError: The runtime is imported from a folder that was never installed.
    """
    try:
        installed = distribution(name)
    except PackageNotFoundError as error:
        raise ScaffoldError(
            f"{name} runs from {package} without being installed, so its version is unknown",
            hint=f"run `pip install -e .` where the pyproject.toml of {name} is",
            exit_code=1,
        ) from error
    if _is_released(installed):
        return Dependency(installed.version)
    contents = package_files(package) | package_files(package.with_name("openenv_core"))
    return Dependency(installed.version, build_wheel(installed.version, contents, _metadata_files(installed)))


def runs_released(name: str = DISTRIBUTION) -> bool:
    """Whether an index can be expected to have the runtime that is running now; what is not installed, none has."""
    try:
        return _is_released(distribution(name))
    except PackageNotFoundError:
        return False


def is_released(version: str, direct_url: str | None) -> bool:
    """Whether an index can be expected to have it: a proper version, installed by name.

    Args:
        version: As the installed metadata gives it.
        direct_url: Text of `direct_url.json`, there when a folder, a file or a repository was installed (PEP 610).
    """
    return direct_url is None and "dev" not in version and "+" not in version


def _is_released(installed: Distribution) -> bool:
    return is_released(installed.version, installed.read_text("direct_url.json"))


def package_files(package: Path) -> dict[str, bytes]:
    """Read a package as a wheel holds it, by path from the folder around it."""
    return {
        path.relative_to(package.parent).as_posix(): path.read_bytes()
        for path in sorted(package.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }


def build_wheel(version: str, contents: Mapping[str, bytes], metadata: Mapping[str, str]) -> Wheel:
    """Put a wheel together; the same input gives the same bytes.

    Args:
        version: As it stands in `METADATA`.
        contents: The packages, by path.
        metadata: Files of the `.dist-info` folder, `METADATA` among them; `WHEEL` and `RECORD` are made here.
    """
    name = f"{DISTRIBUTION.replace('-', '_')}-{version}"
    tag = "py3-none-any"
    described = f"Wheel-Version: 1.0\nGenerator: {DISTRIBUTION} {version}\nRoot-Is-Purelib: true\nTag: {tag}\n"
    members = dict(sorted(contents.items()))
    for path, text in sorted({**metadata, "WHEEL": described}.items()):
        members[f"{name}.dist-info/{path}"] = text.encode()
    record = f"{name}.dist-info/RECORD"
    members[record] = _record(members, record).encode()
    return Wheel(f"{name}-{tag}.whl", _zip(members))


def _metadata_files(installed: Distribution) -> dict[str, str]:
    found = {name: installed.read_text(name) for name in _metadata_names(installed)}
    return {name: text for name, text in found.items() if text is not None}


def _metadata_names(installed: Distribution) -> Iterator[str]:
    yield from ("METADATA", "entry_points.txt")
    for licence in installed.metadata.get_all("License-File") or ():
        yield f"licenses/{licence}"


def _record(members: Mapping[str, bytes], own_path: str) -> str:
    lines = [f"{path},sha256={_digest(content)},{len(content)}\n" for path, content in members.items()]
    return "".join([*lines, f"{own_path},,\n"])


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _zip(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in members.items():
            entry = zipfile.ZipInfo(path, _FIRST_ZIP_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, on every machine, so that the mode below counts and the bytes agree
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, content)
    return buffer.getvalue()
