import os
import re
import textwrap
from pathlib import Path

import pytest

from tests.guards.snippets import PageFailed, SnippetError, parse, program, run_page

SERVER = """
    <!-- test: file=serve.py -->
    ```python
    import argparse, http.server, sys
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--says", default="hello")
    args = parser.parse_args()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(args.says.encode())

    http.server.HTTPServer(("localhost", args.port), Handler).serve_forever()
    ```
"""
ASK = """
    ```python
    from urllib.request import urlopen
    print(urlopen("http://localhost:8000/").read().decode())
    ```
"""


def run(page: str, folder: Path, limit_s: float = 15) -> str:
    return run_page("docs/page.md", textwrap.dedent(page), folder, limit_s)


def test_only_python_and_bash_fences_are_taken() -> None:
    page = "```yaml\na: 1\n```\n~~~python\nx = 1\n~~~\n"
    page += "- in a list\n\n  ```bash\n  ls\n    -l\n  ```\n````text\n```python\n````\n"
    assert [(s.line, s.language, s.text) for s in parse(page)] == [(4, "python", "x = 1"), (9, "bash", "ls\n  -l")]


@pytest.mark.parametrize(
    ("page", "complaint"),
    [
        ("<!-- test: ignore -->\n```python\n```", "line 1: unknown directive 'ignore'"),
        ("<!-- test: skip -->\n```python\n```", "line 1: unknown directive 'skip'; there are 'skip, REASON'"),
        ("<!-- test: skip, -->\n```python\n```", "unknown directive 'skip,'"),
        ("<!-- test: server=../x -->\n```python\n```", "unknown directive 'server=../x'"),
        ("<!-- test: server -->\n```python\n```", "line 2: only a bash fence can be the server"),
        ("<!-- test: skip, why -->\n<!-- test: server -->\n```bash\n```", "line 2: a fence must follow"),
        ("<!-- test: skip, why -->\nprose\n```python\n```", "line 2: a fence must follow"),
        ("```python\n```\n<!-- test: skip, why -->", "the page ends after a directive"),
        ("prose\n```python\nx = 1", "line 2: the fence is never closed"),
        ("```sh\nls\n```", "line 1: write bash, not sh"),
    ],
)
def test_a_page_in_error_is_refused(page: str, complaint: str) -> None:
    with pytest.raises(SnippetError, match=re.escape(complaint)):
        parse(page)


def test_the_program_keeps_the_lines_of_the_page_and_replaces_only_the_address() -> None:
    page = "# Title\n\n```python\nurl = 'http://localhost:8000'\nport = 8000\n```\n"
    assert program(page, 4711).splitlines()[1:] == ["", "", "url = 'http://localhost:4711'", "port = 8000", ""]


def test_python_snippets_share_one_namespace_and_run_in_order_with_bash(tmp_path: Path) -> None:
    page = """
    ```python
    x = 1
    open("made", "w").write("by python")
    ```
    ```bash
    cat made && echo
    mkdir inner && cd inner
    ```
    <!-- test: skip, needs a Docker engine -->
    ```bash
    docker run nothing
    ```
    ```python
    import os
    print(x + 1, os.path.basename(os.getcwd()))
    ```
    """
    assert run(page, tmp_path) == "by python\n2 inner\n"


@pytest.mark.parametrize("snippet", ["```python\n\nraise ValueError(x)\n```", "```bash\n\nfalse | true\n```"])
def test_a_failing_snippet_fails_the_page_and_names_its_line(snippet: str, tmp_path: Path) -> None:
    with pytest.raises(PageFailed, match=r'(?s)docs/page.md: exit code 1.*page.md", line [46]'):
        run_page("docs/page.md", f"```python\nx = 1\n```\n{snippet}\n", tmp_path, limit_s=15)


def test_a_page_that_does_not_end_is_stopped_with_all_it_started(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "held")
    reader = os.open(tmp_path / "held", os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(reader) as held:
        with pytest.raises(PageFailed, match="still running"):
            run("```bash\n(echo started; sleep 60) > held & sleep 60\n```", tmp_path, limit_s=0.5)
        os.set_blocking(reader, True)
        assert held.read() == "started\n"  # comes to an end only when nobody is left who could write


def test_the_server_of_a_page_runs_beside_it_until_another_replaces_it(tmp_path: Path) -> None:
    first = """
    <!-- test: server -->
    ```bash
    cd .
    python serve.py  # then open http://localhost:8000
    ```
    """
    second = first.replace("serve.py ", "serve.py --says bye ")
    printed = run(SERVER + first + ASK + second + ASK, tmp_path)
    assert re.findall("^hello|^bye", printed, re.MULTILINE) == ["hello", "bye"]


def test_a_server_that_ends_fails_the_page(tmp_path: Path) -> None:
    with pytest.raises(PageFailed, match="the server ended with exit code 3"):
        run("<!-- test: server -->\n```bash\nexit 3; true\n```", tmp_path)


def test_a_named_server_is_scaffolded_and_served() -> None:
    page = "# Title\n\n<!-- test: server=my_env -->\n```python\nx = 1\n```\n"
    served = "[ -e my_env ] || openenv init my_env\nopenenv serve my_env"
    assert program(page, 4711).splitlines()[3:] == [f"_page.serve({served!r}, 4711)", "x = 1", ""]
