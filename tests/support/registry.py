"""A real registry for images: Debian's, on loopback."""

import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.services import require

__all__ = ["registry"]


@contextmanager
def registry(folder: Path) -> Iterator[str]:
    """Run Debian's registry on a port of its own and give its address."""
    require(shutil.which("docker-registry"), "needs docker-registry, which `scripts/engine` installs")
    settings = folder / "registry.yml"
    settings.write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {folder}/store}}}}\nhttp: {{addr: '127.0.0.1:0'}}\n"
    )
    process = subprocess.Popen(
        ["docker-registry", "serve", str(settings)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    assert process.stderr is not None
    reader = threading.Thread(target=process.stderr.read)
    try:
        line = next(line for line in process.stderr if "listening on" in line)
        reader.start()
        yield line.partition("listening on ")[2].split('"')[0].split()[0]
    finally:
        process.terminate()
        process.wait(10)
        if reader.is_alive():
            reader.join(10)
        process.stderr.close()
