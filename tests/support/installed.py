"""Packages that look installed: a folder of modules and metadata, as pip leaves them."""

import json
from collections.abc import Mapping
from pathlib import Path

__all__ = ["CLIENT", "MODELS", "from_git", "install"]

MODELS = """
from openenv import Action, Observation

class MoveAction(Action):
    text: str = ""

class MoveObservation(Observation):
    text: str = ""
"""
CLIENT = """
from openenv import EnvClient, State
from .models import MoveAction, MoveObservation

class MoveEnv(EnvClient[MoveAction, MoveObservation, State]):
    pass
"""


def install(
    site: Path,
    distribution: str,
    files: Mapping[str, str],
    *,
    entry_points: str = "",
    metadata: Mapping[str, str] | None = None,
    is_listed: bool = True,
) -> Path:
    """Put a distribution into a folder of `sys.path`.

    Args:
        site: That folder.
        distribution: Its name.
        files: Its modules and data, by path.
        entry_points: Those of the group `openenv.environments`, one a line.
        metadata: More files of its `.dist-info`.
        is_listed: Whether its RECORD names its files, which that of an editable installation does not.
    """
    info = site / f"{distribution.replace('-', '_')}-1.2.dist-info"
    texts = {str(site / path): text for path, text in files.items()}
    texts[str(info / "METADATA")] = f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\nSummary: A test.\n"
    texts[str(info / "RECORD")] = "".join(f"{path},sha256=x,1\n" for path in files if is_listed)
    if entry_points:
        texts[str(info / "entry_points.txt")] = f"[openenv.environments]\n{entry_points}\n"
    texts |= {str(info / name): text for name, text in (metadata or {}).items()}
    for path, text in texts.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text)
    return info


def from_git(url: str) -> dict[str, str]:
    """Give the metadata by which pip says that something was installed from a git repository."""
    return {"direct_url.json": json.dumps({"url": url, "vcs_info": {"vcs": "git", "commit_id": "1" * 40}})}
