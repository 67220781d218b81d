"""Every python and bash snippet of the README and of docs/ is run, or says why not. See snippets.py for how."""

from pathlib import Path

import pytest

from tests.guards.snippets import run_page
from tests.guards.sources import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LIMIT_S = 100


@pytest.mark.timeout(LIMIT_S + 20)
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_snippet_of_the_page_runs(page: Path, tmp_path: Path) -> None:
    run_page(str(page.relative_to(ROOT)), page.read_text(), tmp_path, LIMIT_S)
