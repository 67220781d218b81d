"""What a Space of an environment is made of: its names, its files, its addresses. Nothing here asks the network.

A Space differs from the folder in two files: the Dockerfile is at its root too, where the Hub looks for it, with the
changes that were asked for; and the README says how the Space is run. What else an image needs to have this runtime,
`override` adds. The build runs from the folder's root either way,
so no path in the Dockerfile changes. Which files travel at all is decided by `selection`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from openenv.errors import ConfigurationError
from openenv.hub import dockerfile, frontmatter
from openenv.hub.image import DOCKERFILES
from openenv.hub.manifest import Manifest, read_manifest
from openenv.hub.override import is_concerned, runtime_notes, with_runtime
from openenv.hub.selection import refuse_secrets, select

__all__ = [
    "INTERFACE_VARIABLE",
    "Addresses",
    "SpaceContents",
    "SpaceFile",
    "addresses",
    "contents_of",
    "routes",
    "space_ids",
    "space_name",
]

INTERFACE_VARIABLE = "ENABLE_WEB_INTERFACE"
_README = "README.md"
_NAME = re.compile(r"(?!.*(--|\.\.))[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?(?<!\.git)")


@dataclass(frozen=True)
class SpaceFile:
    """One file of a Space.

    Attributes:
        path: Where it goes, from the root of the Space.
        content: What it holds, or the file that holds it.
        made_from: Which file of the folder it was made from; None when it is that file.
    """

    path: str
    content: bytes | Path
    made_from: str | None = None


@dataclass(frozen=True)
class SpaceContents:
    """All that is uploaded.

    Attributes:
        manifest: What `openenv.yaml` says.
        files: Every file, by path.
        front_matter: The head of the README, with its dashes.
        withheld: Files that stay here because they look like secrets.
        notes: What the image gets that the folder does not seem to say.
    """

    manifest: Manifest
    files: tuple[SpaceFile, ...]
    front_matter: str
    withheld: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Addresses:
    """Where a Space is found: its page on the Hub, and its server, whose root has the routes."""

    page: str
    server: str

    @property
    def socket(self) -> str:
        """Where a WebSocket client connects."""
        return re.sub(r"^http", "ws", self.server) + "/ws"


def contents_of(
    folder: Path, *, base_image: str | None = None, interface: bool = True, exclude: Sequence[str] = ()
) -> SpaceContents:
    """Read the folder of an environment and say what its Space holds. The folder is not touched.

    Args:
        folder: Where `openenv.yaml` is.
        base_image: The image to build on, in place of the Dockerfile's own.
        interface: Whether the Space shows the page at /web.
        exclude: Patterns of what stays here, beside what always does; as in a `.dockerignore`.

    Raises:
        ConfigurationError: It is no environment, or a file of it cannot be used; nothing can be published.
    """
    manifest = read_manifest(folder)
    selection = select(folder, exclude=exclude)
    files = {path: SpaceFile(path, folder / path) for path in selection.paths}
    source = next((path for path in DOCKERFILES if path in files), None)
    if source is None:
        raise ConfigurationError(
            f"{folder} has no server/Dockerfile and no Dockerfile, so a Space of it cannot be built"
        )
    text = _read(folder / source)
    if base_image is not None:
        text = dockerfile.with_base_image(text, base_image)
    text = dockerfile.with_variable(text, INTERFACE_VARIABLE, "true" if interface else "false")
    keys = frontmatter.space_keys(port=dockerfile.exposed_port(text) or manifest.port, interface=interface)
    readme = _read(folder / _README) if _README in files else f"# {manifest.name}\n"
    readme = frontmatter.with_front_matter(readme, keys, title=manifest.name)
    made = [SpaceFile("Dockerfile", text.encode(), source), SpaceFile(_README, readme.encode(), _README)]
    if (ignored := f"{source}.dockerignore") in files and source != "Dockerfile":
        made.append(SpaceFile("Dockerfile.dockerignore", folder / ignored, ignored))
    files |= {file.path: file for file in made}
    texts = {path: _text(file) for path, file in files.items() if is_concerned(path, "Dockerfile")}
    adapted = with_runtime(texts, "Dockerfile")
    for path, content in adapted.items():
        origin = files[path].made_from or path if path in files else None
        files[path] = SpaceFile(path, content, origin)
    for path in dockerfile.copied_paths(_text(files["Dockerfile"])):
        if path not in files and not any(other.startswith(f"{path}/") for other in files):
            raise ConfigurationError(
                f"{source} copies {path}, which is not among the files that are published, so no Space could be built;"
                " add it, or correct the Dockerfile: it is built from the folder's root"
            )
    for file in files.values():
        refuse_secrets(file.path, file.content)
    sorted_files = tuple(files[path] for path in sorted(files))
    notes = runtime_notes(texts, adapted, "Dockerfile")
    return SpaceContents(manifest, sorted_files, frontmatter.front_matter(readme), selection.withheld, notes)


def space_ids(
    name: str, *, user: str, repo_id: str | None = None, namespace: str | None = None, count: int = 1
) -> tuple[str, ...]:
    """Say which Spaces are meant, as `owner/name`.

    Args:
        name: The environment's, which is the Space's unless `repo_id` gives another.
        user: Who owns it if nobody else is named.
        repo_id: `owner/name`, or a name.
        namespace: The owner, a user or an organization.
        count: How many; several are numbered.

    Raises:
        ConfigurationError: The Hub knows no such names, or two owners are given.
    """
    owner, slash, given = (repo_id or "").rpartition("/")
    if slash and namespace not in (None, owner):
        raise ConfigurationError(f"--namespace says {namespace!r} and --repo-id says {owner!r}; leave one of them out")
    owner = owner if slash else namespace or user
    base = f"{owner}/{given or name}"
    ids = (base,) if count == 1 else tuple(f"{base}-{number}" for number in range(1, count + 1))
    for each in ids:
        parts = each.split("/")
        if len(parts) != 2 or not all(map(_NAME.fullmatch, parts)):
            raise ConfigurationError(
                f"{each!r} cannot be a Space: an owner and a name of at most 96 letters, digits, '-', '_' and '.' are"
                " needed; write --repo-id owner/name"
            )
    return ids


def space_name(repo_id: str) -> str:
    """Give the name in `owner/name`.

    Raises:
        ConfigurationError: It is no such thing.
    """
    parts = repo_id.split("/")
    if len(parts) != 2 or not all(map(_NAME.fullmatch, parts)):
        raise ConfigurationError(f"{repo_id!r} is no Space; write it as owner/name, such as openenv/echo_env")
    return parts[1]


def addresses(repo_id: str, *, endpoint: str, server: str | None = None) -> Addresses:
    """Say where a Space is.

    Args:
        repo_id: As `owner/name`.
        endpoint: Where the Hub is.
        server: Where its server is, if the Hub has said; otherwise this follows from the name.
    """
    subdomain = re.sub(r"[^a-z0-9]+", "-", repo_id.lower()).strip("-")
    return Addresses(
        f"{endpoint.rstrip('/')}/spaces/{repo_id}", (server or f"https://{subdomain}.hf.space").rstrip("/")
    )


def routes(where: Addresses, *, interface: bool) -> Mapping[str, str]:
    """Name what the server of a Space offers, and where."""
    page = {"web": f"{where.server}/web"} if interface else {}
    return page | {"docs": f"{where.server}/docs", "health": f"{where.server}/health", "socket": where.socket}


def _text(file: SpaceFile) -> str:
    return file.content.decode() if isinstance(file.content, bytes) else _read(file.content)


def _read(path: Path) -> str:
    try:
        # The line ends stay as they are, which is why this is not read_text().
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
