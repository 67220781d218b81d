"""`openenv.hub.space`: names, contents and addresses of a Space."""

import hashlib
from pathlib import Path

import pytest

from openenv.errors import ConfigurationError
from openenv.hub.space import Addresses, SpaceContents, addresses, contents_of, routes, space_ids
from openenv.scaffold import create


def text_of(contents: SpaceContents, path: str) -> str:
    (file,) = (file for file in contents.files if file.path == path)
    return (file.content if isinstance(file.content, bytes) else file.content.read_bytes()).decode()


def digest(folder: Path) -> str:
    """Say what a folder holds, times included."""
    lines = [
        f"{path.relative_to(folder)} {path.lstat().st_mtime_ns} {path.lstat().st_mode} "
        f"{hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ''}"
        for path in sorted(folder.rglob("*"))
    ]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def test_dockerfile_is_at_the_root_as_well_and_the_folder_as_it_was(folder: Path) -> None:
    before = digest(folder)
    contents = contents_of(folder, base_image="mine:1")
    assert [(file.path, file.made_from) for file in contents.files] == [
        ("Dockerfile", "server/Dockerfile"),
        ("README.md", "README.md"),
        ("data.bin", None),
        ("openenv.yaml", None),
        ("server/Dockerfile", None),
    ]
    assert text_of(contents, "Dockerfile") == (
        "FROM mine:1 AS build\nFROM mine:1\nCOPY data.bin /\nCMD x\nENV ENABLE_WEB_INTERFACE=true\n"
    )
    assert text_of(contents, "server/Dockerfile") == (folder / "server/Dockerfile").read_text()
    assert digest(folder) == before


def test_the_scaffold_is_published_with_its_front_matter_and_every_path_its_dockerfile_copies(tmp_path: Path) -> None:
    def lock(place: Path) -> None:
        (place / "uv.lock").write_text("version = 1\n")

    created = create("my_env", tmp_path, lock=lock, installed=())
    contents = contents_of(created.folder)
    original = (created.folder / "README.md").read_text()
    assert text_of(contents, "README.md") == original
    assert original.startswith(contents.front_matter)
    assert text_of(contents, "Dockerfile").startswith((created.folder / "server/Dockerfile").read_text())
    assert {"Dockerfile", "README.md", "client.py", "server/app.py", "uv.lock"} <= {
        file.path for file in contents.files
    }


def test_without_the_page_image_and_front_matter_say_so(folder: Path) -> None:
    contents = contents_of(folder, interface=False)
    assert text_of(contents, "Dockerfile").endswith("\nENV ENABLE_WEB_INTERFACE=false\n")
    assert "base_path" not in contents.front_matter


@pytest.mark.parametrize(
    ("dockerfile", "manifest", "port"),
    [
        ("FROM a\nEXPOSE 7860\n", "name: x", 7860),
        ("FROM a\n", "name: x\nport: 9000", 9000),
        ("FROM a\n", "name: x", 8000),
    ],
)
def test_port_is_the_one_the_image_listens_on(dockerfile: str, manifest: str, port: int, folder: Path) -> None:
    (folder / "server/Dockerfile").write_text(dockerfile)
    (folder / "openenv.yaml").write_text(manifest)
    assert f"app_port: {port}\n" in contents_of(folder).front_matter


def test_a_dockerfile_at_the_root_serves_and_one_in_server_goes_first(folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM root\n")
    assert text_of(contents_of(folder), "Dockerfile").startswith("FROM python:3.11 AS build\n")
    (folder / "server/Dockerfile").unlink()
    assert text_of(contents_of(folder), "Dockerfile") == "FROM root\nENV ENABLE_WEB_INTERFACE=true\n"


def test_the_ignore_file_of_the_dockerfile_goes_with_it(folder: Path) -> None:
    (folder / "server/Dockerfile.dockerignore").write_text("x\n")
    assert text_of(contents_of(folder), "Dockerfile.dockerignore") == "x\n"


def test_what_is_withheld_is_told(folder: Path) -> None:
    (folder / ".env").write_text("A=b")
    contents = contents_of(folder)
    assert contents.withheld == (".env",)
    assert ".env" not in {file.path for file in contents.files}


@pytest.mark.parametrize(
    ("path", "content", "complaint"),
    [
        ("openenv.yaml", None, r"has no openenv\.yaml, so it is no environment"),
        ("server/Dockerfile", None, r"has no server/Dockerfile and no Dockerfile, so a Space of it cannot be built"),
        ("server/Dockerfile", b"\xff", "cannot be read"),
        ("data.bin", None, r"server/Dockerfile copies data\.bin, which is not among the files"),
        ("README.md", b"\xff", r"README\.md cannot be read"),
        ("README.md", b"---\n- a\n---\n", "must hold lines of keys and values"),
        ("app.py", b"# hf_" + b"x" * 34, r"app\.py, line 1, holds a Hugging Face token"),
    ],
)
def test_what_cannot_be_published_is_named(path: str, content: bytes | None, complaint: str, folder: Path) -> None:
    if content is None:
        (folder / path).unlink()
    else:
        (folder / path).write_bytes(content)
    with pytest.raises(ConfigurationError, match=complaint):
        contents_of(folder)


@pytest.mark.parametrize(
    ("repo_id", "namespace", "count", "expected"),
    [
        (None, None, 1, ("me/my_env",)),
        (None, "org", 1, ("org/my_env",)),
        ("other", None, 1, ("me/other",)),
        ("other", "org", 1, ("org/other",)),
        ("org/other", None, 1, ("org/other",)),
        ("org/other", "org", 1, ("org/other",)),
        ("org/", None, 1, ("org/my_env",)),
        ("org/other", None, 3, ("org/other-1", "org/other-2", "org/other-3")),
    ],
)
def test_name_and_owner_come_from_the_environment_and_its_user(
    repo_id: str | None, namespace: str | None, count: int, expected: tuple[str, ...]
) -> None:
    assert space_ids("my_env", user="me", repo_id=repo_id, namespace=namespace, count=count) == expected


@pytest.mark.parametrize(
    "repo_id",
    ["a/b/c", "a/b c", "a/-b", "a/b-", "a/.b", "a/b--c", "a/b..c", "a/b.git", "a/" + "b" * 97, "/b", "/"],
)
def test_a_name_the_hub_does_not_take_is_refused_before_it_is_asked(repo_id: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be a Space"):
        space_ids("my_env", user="me", repo_id=repo_id)


def test_two_owners_are_one_too_many() -> None:
    with pytest.raises(ConfigurationError, match="--namespace says 'b' and --repo-id says 'a'"):
        space_ids("my_env", user="me", repo_id="a/x", namespace="b")


def test_addresses_are_those_the_hub_says_or_follow_from_the_name() -> None:
    assert addresses("My-Org/my_env.x", endpoint="https://hub/") == Addresses(
        "https://hub/spaces/My-Org/my_env.x", "https://my-org-my-env-x.hf.space"
    )
    said = addresses("a/b", endpoint="https://hub", server="https://other.example/")
    assert routes(said, interface=True) == {
        "web": "https://other.example/web",
        "docs": "https://other.example/docs",
        "health": "https://other.example/health",
        "socket": "wss://other.example/ws",
    }
    assert "web" not in routes(said, interface=False)
