"""The peers that are measured beside ours: each from the package index, in a virtual environment of its own."""

import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

__all__ = ["FOLDER", "Peers", "peers"]

FOLDER = Path("build/peers")
"""Where they are put, unless told otherwise."""
_REQUIREMENTS = {"openenv": ("openenv==0.10.0",), "rlmesh": ("rlmesh==0.1.0", "gymnasium>=1.0", "numpy>=1.26")}


@dataclass(frozen=True, kw_only=True)
class Peers:
    """Their Pythons; None for one that is left out."""

    openenv: str | None = None
    rlmesh: str | None = None


def peers(folder: Path) -> Peers:
    """Give the Pythons of `folder/openenv` and `folder/rlmesh`, either of them made where there is none."""
    return Peers(**{name: str(_python(folder / name, needs)) for name, needs in _REQUIREMENTS.items()})


def _python(home: Path, requirements: tuple[str, ...]) -> Path:
    python = home.absolute() / "bin" / "python"  # not resolved: a link would lead out of the environment
    if not python.exists():
        venv.create(home)
    # Does nothing, and asks no index, where all of it is there; what an earlier run left half done is completed.
    pip = [sys.executable, "-m", "pip", "--python", str(python)]
    command = [*pip, "install", "--quiet", "--disable-pip-version-check", *requirements]
    if subprocess.run(command).returncode:
        raise SystemExit(f"{', '.join(requirements)} could not be installed into {home}; the output says why")
    return python
