"""Where the files are that the guards read."""

import subprocess
from pathlib import Path

__all__ = ["PACKAGE", "ROOT", "module_name", "modules", "repository_files"]

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "openenv"
_TEMPLATE = PACKAGE / "scaffold" / "template"


def modules() -> list[Path]:
    """List every module of the package; the files of the scaffold's template are data, not modules."""
    return sorted(path for path in PACKAGE.rglob("*.py") if _TEMPLATE not in path.parents)


def module_name(path: Path) -> str:
    """Name a module as an import does: `openenv.server` for `server/__init__.py`."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def repository_files() -> list[Path]:
    """List every file that is tracked, or would be by `git add --all`."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [path for name in sorted(set(listed.split("\0")) - {""}) if (path := ROOT / name).is_file()]
