"""`openenv.hub.selection`: what is published, and that nothing private is."""

import os
from pathlib import Path

import pytest

from openenv.errors import ConfigurationError
from openenv.hub.selection import refuse_secrets, select


def tree(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")
    return folder


def test_junk_and_secrets_stay_here(tmp_path: Path) -> None:
    published = [
        "README.md",
        "models.py",
        "server/app.py",
        "wheels/a.whl",
        ".dockerignore",
        ".gitignore",
        ".env.example",
    ]
    junk = [
        ".git/config", ".venv/x", "venv/x", "mine/pyvenv.cfg", "mine/x", "cache/CACHEDIR.TAG", "a/__pycache__/x.pyc",
        "x.pyc", "my_env.egg-info/x", "build/x", "dist/x", ".idea/x", "server/.hidden", "node_modules/x", "a.py~",
        ".DS_Store", ".ssh/config",
    ]  # fmt: skip
    secrets = [".env", ".env.local", "server/tls.pem", "id_rsa", "credentials.json"]
    found = select(tree(tmp_path, *published, *junk, *secrets))
    assert sorted(found.paths) == sorted(published[:-1])
    assert sorted(found.withheld) == sorted(secrets)


def test_dockerignore_is_honoured_but_not_for_what_a_space_needs(tmp_path: Path) -> None:
    tree(
        tmp_path, "README.md", "Dockerfile", "openenv.yaml", "pyproject.toml", "uv.lock", "data/x", "data/keep", "a.md"
    )
    (tmp_path / ".dockerignore").write_text("*.md\nDockerfile\nuv.lock\n.dockerignore\ndata\n!data/keep\n")
    assert select(tmp_path).paths == (
        ".dockerignore", "Dockerfile", "README.md", "data/keep", "openenv.yaml", "pyproject.toml", "uv.lock",
    )  # fmt: skip


def test_what_is_excluded_besides_has_the_last_word_except_over_secrets(tmp_path: Path) -> None:
    tree(tmp_path, "README.md", "a.csv", "b.csv", ".hidden", ".env")
    found = select(tmp_path, exclude=["*.csv", "!b.csv", "README.md", "!.hidden", "!.env"])
    assert found.paths == (".hidden", "b.csv")
    assert found.withheld == (".env",)


@pytest.mark.parametrize("name", ["link", "server/link"])
@pytest.mark.parametrize("target", ["/etc/hostname", "{outside}", "nowhere"])
def test_a_link_out_of_the_folder_is_refused_unless_excluded(name: str, target: str, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("")
    folder = tree(tmp_path / "my_env", "a", "server/b")
    (folder / name).symlink_to(target.format(outside=os.path.relpath(tmp_path / "outside", (folder / name).parent)))
    with pytest.raises(ConfigurationError, match=f"{name} is a link to .*, which is no file of this folder"):
        select(folder)
    assert select(folder, exclude=[name]).paths == ("a", "server/b")


def test_a_link_within_the_folder_is_published(tmp_path: Path) -> None:
    folder = tree(tmp_path / "my_env", "a", "server/b")
    (folder / "server/link").symlink_to("../a")
    assert select(folder).paths == ("a", "server/b", "server/link")


def test_what_is_no_file_is_not_published(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert select(tmp_path).paths == ()


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: path.write_bytes(b"\xff")])
def test_a_dockerignore_that_cannot_be_read_is_an_error(make: object, tmp_path: Path) -> None:
    assert callable(make)
    make(tmp_path / ".dockerignore")
    with pytest.raises(ConfigurationError, match=r"\.dockerignore cannot be read"):
        select(tmp_path)


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nowhere cannot be read"):
        select(tmp_path / "nowhere")


def test_a_secret_in_a_text_is_named_by_its_line_and_never_quoted(tmp_path: Path) -> None:
    token = "hf_" + "a" * 34
    (tmp_path / "app.py").write_text(f"\nTOKEN = '{token}'\n")
    with pytest.raises(ConfigurationError, match=r"app\.py, line 2, holds a Hugging Face token") as raised:
        refuse_secrets("app.py", tmp_path / "app.py")
    assert token not in str(raised.value)
    with pytest.raises(ConfigurationError, match="line 1, holds"):
        refuse_secrets("app.py", token.encode())


@pytest.mark.parametrize("content", [b"fine", b"\0hf_" + b"a" * 34, b"\xff\xfe"])
def test_what_holds_no_secret_passes(content: bytes) -> None:
    refuse_secrets("x", content)


def test_large_files_are_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large").open("wb") as file:
        file.write(b"hf_" + b"a" * 34)
        file.truncate(2 * 1024 * 1024)
    refuse_secrets("large", tmp_path / "large")


def test_a_file_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="x cannot be read: No such file"):
        refuse_secrets("x", tmp_path / "x")
