"""Which files an engine gets. What Docker's own client sends is asked of it, where there is an engine."""

import io
import os
import subprocess
import tarfile
from pathlib import Path
from typing import IO

import pytest

from openenv.errors import BuildFailed, ConfigurationError
from openenv.hub.context import Context, leads_out, must_stay, read_context
from tests.support.engine import BASE_IMAGE, engine, image_name  # noqa: F401  # a fixture

FOLDER = {
    "Dockerfile": "FROM x",
    "README.md": "",
    "a.txt": "",
    "b.txt": "",
    "docs/a.md": "",
    "docs/deep/b.md": "",
    "docs/deep/keep.txt": "",
    "server/app.py": "",
    "server/notes.txt": "",
    "data/1.csv": "",
    "data/2.csv": "",
    "data/x[1].csv": "",
}


def fill(folder: Path, files: dict[str, str] = FOLDER) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def sent(folder: Path, dockerfile: str = "Dockerfile") -> set[str]:
    """The files of a context, without its folders."""
    paths = read_context(folder, dockerfile).paths
    return {path for path in paths if not (folder / path).is_dir() or (folder / path).is_symlink()}


def archived(context: Context) -> tarfile.TarFile:
    stream = io.BytesIO()
    context.write_to(stream)
    stream.seek(0)
    return tarfile.open(fileobj=stream)


IGNORES = {
    "nothing": "",
    "a comment and white space": "# a.txt\n\n  a.txt  \n",
    "a folder": "docs",
    "a folder with slashes": "/docs/",
    "one level": "*/*.txt",
    "any level": "**/*.md",
    "one character": "?.txt",
    "a set": "data/[12].csv",
    "a set of others": "data/[^1].csv",
    "an escaped character": "data/x\\[1].csv",
    "dots": "./docs/../data",
    "a negation": "*.txt\n!b.txt",
    "a negation that comes too early": "!b.txt\n*.txt",
    "a negation inside a folder": "docs\n!docs/deep/keep.txt",
    "a folder back": "*\n!server\n!Dockerfile",
    "a folder back without a part": "*\n!server\nserver/*.txt",
    "everything but Python": "**\n!server/*.py",
    "a mark at the head": "\ufeffa.txt",
    "Windows lines": "a.txt\r\ndocs\r\n",
}


@pytest.mark.timeout(60)
@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("ignore", IGNORES.values(), ids=IGNORES)
def test_the_same_files_are_sent_as_by_docker(ignore: str, tmp_path: Path) -> None:
    fill(tmp_path, FOLDER | {"Dockerfile": f"FROM {BASE_IMAGE}\nCOPY . /sent\nRUN cd /sent && find . ! -type d\n"})
    (tmp_path / ".dockerignore").write_text(ignore)
    with image_name() as name:
        command = ["docker", "build", "--force-rm", "--network", "none", "--tag", name, str(tmp_path)]
        environment = {**os.environ, "DOCKER_BUILDKIT": "0"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=50)
    docker_sends = {line[2:] for line in done.stdout.splitlines() if line.startswith("./")}
    # The engine needs these two, and takes them out before it copies, if they are listed.
    assert sent(tmp_path) - {"Dockerfile", ".dockerignore"} == docker_sends - {"Dockerfile", ".dockerignore"}


def test_a_dockerfile_may_have_an_ignore_file_of_its_own(tmp_path: Path) -> None:
    fill(
        tmp_path,
        {"server/Dockerfile": "", "server/Dockerfile.dockerignore": "a", ".dockerignore": "b", "a": "", "b": ""},
    )
    assert {"a", "b"} & sent(tmp_path, "server/Dockerfile") == {"b"}


def test_the_dockerfile_is_sent_even_if_it_is_to_be_left_out(tmp_path: Path) -> None:
    fill(tmp_path, {"Dockerfile": "FROM x", ".dockerignore": "*"})
    assert sent(tmp_path) == {"Dockerfile", ".dockerignore"}


SECRETS = [
    ".env", ".env.production", "server/.env", ".envrc", "certs/tls.pem", "tls.key", "id_rsa", "deep/down/id_ed25519",
    ".netrc", ".pypirc", "credentials", "credentials.json", ".aws/config", ".ssh/config", "service-account-1.json",
]  # fmt: skip


def test_secrets_stay_and_are_told_whatever_the_ignore_file_says(tmp_path: Path) -> None:
    fill(tmp_path, dict.fromkeys(SECRETS, "hunter2"))
    fill(
        tmp_path, {"Dockerfile": "", ".dockerignore": "*\n!server\n!**\n!.env", "server/app.py": "", ".env.example": ""}
    )
    context = read_context(tmp_path, "Dockerfile")
    assert sent(tmp_path) == {"Dockerfile", ".dockerignore", "server/app.py", ".env.example"}
    assert set(context.withheld) == {*SECRETS, ".aws", ".ssh"} - {".aws/config", ".ssh/config"}
    stream = io.BytesIO()
    context.write_to(stream)
    assert b"hunter2" not in stream.getvalue()


def test_a_secret_that_is_left_out_by_the_ignore_file_is_not_told(tmp_path: Path) -> None:
    fill(tmp_path, {"Dockerfile": "", ".dockerignore": ".env", ".env": ""})
    assert read_context(tmp_path, "Dockerfile").withheld == ()


def test_what_tools_leave_behind_stays(tmp_path: Path) -> None:
    junk = [
        ".git/HEAD", ".venv/bin/python", "lib/.git", "server/__pycache__/app.pyc", "x.pyc", ".mypy_cache/1",
        ".ruff_cache/1", "node_modules/x/y", "my-own-venv/pyvenv.cfg", "my-own-venv/lib/x.py",
        "some-cache/CACHEDIR.TAG", "some-cache/x",
    ]  # fmt: skip
    fill(tmp_path, dict.fromkeys(junk, "") | {"Dockerfile": "", ".dockerignore": "!**", "app.py": ""})
    assert sent(tmp_path) == {"Dockerfile", ".dockerignore", "app.py"}
    assert read_context(tmp_path, "Dockerfile").withheld == ()


@pytest.mark.parametrize(
    ("path", "stays"), [("a/.env", True), ("a/.git", True), ("environment.py", False), (".github", False)]
)
def test_a_name_alone_tells_what_stays(path: str, stays: bool) -> None:
    assert must_stay(path) is stays


@pytest.mark.parametrize(
    ("path", "target", "leads"),
    [
        ("link", "file", False),
        ("a/link", "../file", False),
        ("a/link", "b/../../file", False),
        ("link", "..", True),
        ("a/link", "../../file", True),
        ("link", "/etc/passwd", True),
    ],
)
def test_a_link_leads_out_or_not(path: str, target: str, leads: bool) -> None:
    assert leads_out(path, target) is leads


def test_links_are_sent_as_links_and_never_followed(tmp_path: Path) -> None:
    folder, outside = tmp_path / "env", tmp_path / "outside"
    fill(folder, {"Dockerfile": "", "real/file": "x"})
    fill(outside, {"private": "hunter2"})
    for name, target in {
        "in": "real",
        "out": "../outside",
        "absolute": str(outside / "private"),
        "loop": "loop",
    }.items():
        (folder / name).symlink_to(target)
    context = read_context(folder, "Dockerfile")
    assert context.leading_out == ("absolute", "out")
    with archived(context) as archive:
        links = {member.name: member.linkname for member in archive.getmembers() if member.issym()}
        names = archive.getnames()
    assert links == {"in": "real", "out": "../outside", "absolute": str(outside / "private"), "loop": "loop"}
    assert not [name for name in names if "private" in name]


def test_pipes_and_sockets_are_passed_over(tmp_path: Path) -> None:
    fill(tmp_path, {"Dockerfile": ""})
    os.mkfifo(tmp_path / "pipe")
    assert sent(tmp_path) == {"Dockerfile"}


def test_the_archive_depends_on_the_files_alone(tmp_path: Path) -> None:
    first, second = fill(tmp_path / "1"), fill(tmp_path / "2", dict(reversed(FOLDER.items())))
    for path in second.rglob("*"):
        os.utime(path, (1, 1))
    (second / "a.txt").chmod(0o600)
    one, two = io.BytesIO(), io.BytesIO()
    read_context(first, "Dockerfile").write_to(one)
    read_context(second, "Dockerfile").write_to(two)
    assert one.getvalue() == two.getvalue()


def test_everybody_may_read_what_is_sent_and_run_what_may_be_run(tmp_path: Path) -> None:
    fill(tmp_path, {"Dockerfile": "", "run.sh": ""})
    (tmp_path / "run.sh").chmod(0o700)
    (tmp_path / "Dockerfile").chmod(0o600)
    (tmp_path / "empty").mkdir(0o700)
    with archived(read_context(tmp_path, "Dockerfile")) as archive:
        modes = {member.name: (member.mode, member.uid, member.uname) for member in archive.getmembers()}
    assert modes == {"Dockerfile": (0o644, 0, ""), "run.sh": (0o755, 0, ""), "empty": (0o755, 0, "")}


def test_a_replaced_file_has_its_new_text(tmp_path: Path) -> None:
    fill(tmp_path, {"Dockerfile": "FROM a", "b": ""})
    context = Context(tmp_path, ("Dockerfile", "b"), {"Dockerfile": b"FROM other", "new": b"more"})
    with archived(context) as archive:
        texts = {name: (found.read() if (found := archive.extractfile(name)) else None) for name in archive.getnames()}
    assert texts == {"Dockerfile": b"FROM other", "b": b"", "new": b"more"}
    assert (tmp_path / "Dockerfile").read_text() == "FROM a"


class _Sink(io.RawIOBase):
    """Counts what is written, and how much of it at once."""

    total = 0
    largest = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        size = len(data)  # type: ignore[arg-type]  # bytes
        self.total += size
        self.largest = max(self.largest, size)
        return size


def test_a_huge_file_passes_through_in_small_pieces(tmp_path: Path) -> None:
    fill(tmp_path, {"Dockerfile": ""})
    size = 256 * 2**20
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(size)
    sink: IO[bytes] = _Sink()  # type: ignore[assignment]  # all of it that is used
    read_context(tmp_path, "Dockerfile").write_to(sink)
    assert isinstance(sink, _Sink)
    assert sink.total > size
    assert sink.largest <= 2**20


def test_a_file_that_is_gone_fails_the_build_and_is_named(tmp_path: Path) -> None:
    context = read_context(fill(tmp_path), "Dockerfile")
    (tmp_path / "data" / "1.csv").unlink()
    with pytest.raises(BuildFailed, match=r"data/1.csv could not be sent: No such file") as caught:
        context.write_to(io.BytesIO())
    assert ".dockerignore" in str(caught.value.hint)


def test_a_file_that_is_cut_while_it_is_read_fails_the_build_and_is_named(tmp_path: Path) -> None:
    fill(tmp_path, {"Dockerfile": "", "log": "x" * 3 * 2**20})

    class _Cutting(io.BytesIO):
        def write(self, data: object) -> int:
            os.truncate(tmp_path / "log", 10)
            return super().write(data)  # type: ignore[arg-type]  # bytes

    with pytest.raises(BuildFailed, match=r"log could not be sent: unexpected end of data"):
        read_context(tmp_path, "Dockerfile").write_to(_Cutting())


@pytest.mark.parametrize("text", [b"\xff\xfe", b"[z-a]"])
def test_an_ignore_file_that_cannot_be_read_is_refused(text: bytes, tmp_path: Path) -> None:
    fill(tmp_path, {"Dockerfile": ""})
    (tmp_path / ".dockerignore").write_bytes(text)
    with pytest.raises(ConfigurationError, match=r"cannot be read|is no pattern"):
        read_context(tmp_path, "Dockerfile")


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        read_context(tmp_path / "nowhere", "Dockerfile")
