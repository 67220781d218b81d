"""`openenv.server.nursery_process`: what a fork must not inherit. What must not outlive it is elsewhere."""

import importlib
from pathlib import Path

import pytest

from tests.server.isolated import Tables, do, observed

pytestmark = pytest.mark.anyio


async def test_siblings_draw_different_random_numbers(
    tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "drawing.py").write_text(
        "import numpy.random, random\nfrom tests.server.hazards import Hazard\nclass Drawing(Hazard): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    table = tables(importlib.import_module("drawing").Drawing)
    sessions = [await table.open() for _ in range(2)]
    drawn = [observed(await do(session, "random"))["echoed_message"].split() for session in sessions]
    for one, other in zip(*drawn, strict=True):
        assert one != other


async def test_worker_of_a_module_that_starts_threads_has_them_too(
    tables: Tables, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "threading_env.py").write_text(
        "import multiprocessing, sys, threading\n"
        "from tests.server.hazards import Hazard\n"
        "if 'pytest' not in sys.modules:\n"
        "    threading.Thread(target=threading.Event().wait, name='companion', daemon=True).start()\n"
        "class Threading(Hazard): pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    session = await tables(importlib.import_module("threading_env").Threading).open()
    assert "companion" in observed(await do(session, "threads"))["echoed_message"].split()
