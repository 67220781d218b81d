"""`openenv.hub.manifest`: what `openenv.yaml` may say, and the one sentence when it says something else."""

import re
from pathlib import Path

import pytest

from openenv.errors import ConfigurationError
from openenv.hub import Manifest, read_manifest

FULL = """
spec_version: 1
name: my_env
version: 0.1.0
type: space
runtime: fastapi
app: my_env.server.app:app
port: 9000
max_sessions: 12
"""


def _read(folder: Path, text: str | bytes) -> Manifest:
    (folder / "openenv.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
    return read_manifest(folder)


def test_keys_that_are_acted_on_are_read_and_others_left_alone(tmp_path: Path) -> None:
    expected = Manifest(name="my_env", app="my_env.server.app:app", port=9000, max_sessions=12)
    assert _read(tmp_path, FULL) == expected


@pytest.mark.parametrize(
    "text", ["name: old", "name: old\nport:\napp: null\nmax_sessions: ~\n", "{'name': 'old', 7: 8}"]
)
def test_what_is_left_out_has_its_usual_value(text: str, tmp_path: Path) -> None:
    assert _read(tmp_path, text) == Manifest(name="old", app="server.app:app", port=8000, max_sessions=None)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "must hold keys and values"),
        ("- name", "must hold keys and values"),
        ("port: 8000", "`name` is missing"),
        ("name: ''", "`name` is ''"),
        ("name: 1.0", "`name` is 1.0"),
        ("name: x\napp: 3", "`app` is 3; write it as module:attribute"),
        ("name: x\napp: server.app", "`app` is 'server.app'; write it as module:attribute"),
        ("name: x\napp: 'server.app:'", "`app` is 'server.app:'"),
        ("name: x\napp: ':app'", "`app` is ':app'"),
        ("name: x\nport: '80'", "`port` is '80'; it must be a whole number from 0 to 65535"),
        ("name: x\nport: 65536", "`port` is 65536; it must be a whole number from 0 to 65535"),
        ("name: x\nport: yes", "`port` is True"),
        ("name: x\nport: [1]", "`port` is [1]"),
        ("name: x\nmax_sessions: 0", "`max_sessions` is 0; it must be a whole number from 1"),
        ("name: x\nmax_sessions: 1.5", "`max_sessions` is 1.5"),
        ("name: x\n  port: 80", "openenv.yaml is not YAML: line 2: mapping values are not allowed here"),
        ("name: [x", "openenv.yaml is not YAML: line 1: "),
        ("name: 2025-13-01", "openenv.yaml is not YAML: month must be in 1..12"),
        ("name: \x00", "openenv.yaml is not YAML: unacceptable character #x0000"),
        ("name: !!python/object:os.system x", "openenv.yaml is not YAML: line 1: could not determine a constructor"),
        ("[" * 10_000, "openenv.yaml is not YAML: maximum recursion depth exceeded"),
        (b"name: \xff", "openenv.yaml cannot be read: 'utf-8' codec can't decode"),
    ],
)
def test_what_does_not_fit_is_named_in_one_sentence(text: str | bytes, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(complaint)) as raised:
        _read(tmp_path, text)
    assert str(tmp_path / "openenv.yaml") in str(raised.value)
    assert "\n" not in str(raised.value)


def test_folder_without_one_is_no_environment(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"has no openenv\.yaml, so it is no environment; go to one, or name"):
        read_manifest(tmp_path)


def test_one_that_cannot_be_read_is_an_error_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "openenv.yaml").mkdir()
    with pytest.raises(ConfigurationError, match=r"openenv\.yaml cannot be read: "):
        read_manifest(tmp_path)
