"""What a container may be given, and what is refused with a sentence."""

import re
from pathlib import Path
from typing import Any

import pytest

from openenv.errors import ConfigurationError
from openenv.runtimes.container_options import ContainerOptions, memory_text


def options(**given: Any) -> ContainerOptions:
    return ContainerOptions(**{"image": "my_env-env:latest", **given})


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *[("image", value) for value in ("", "-v", "--privileged", "a b", None, 3)],
        *[("name", value) for value in ("", "x", "-x", "a b", "a/b", 3)],
        *[("port", value) for value in (0, -1, 65536, "8000", True, 1.5)],
        *[("container_port", value) for value in (0, 65536, None, "8000")],
        *[("memory", value) for value in ("", "much", "-1g", "5m", 1, 0, True, 1.5, "1 gib b")],
        *[("cpus", value) for value in (0, -1, "2", True, float("nan"), float("inf"))],
        *[("pids", value) for value in (0, -1, "5", 1.5, True)],
        *[("network", value) for value in ("host", "container:x", "", None, True)],
        *[("gpus", value) for value in ("some", 0, -1, "", "device=", "all,capabilities=x", True)],
        *[("pull", value) for value in ("newer", "", None, True)],
        *[("stop_timeout_s", value) for value in (-1, 1.5, None)],
    ],
)
def test_a_value_that_does_not_fit_is_named(option: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(f"{option} is {value!r}; it must be ")):
        options(**{option: value})


@pytest.mark.parametrize(
    ("memory", "size"),
    [
        ("256m", 256 << 20),
        ("2g", 2 << 30),
        ("1.5GB", 3 << 29),
        ("512 MiB", 512 << 20),
        (7 << 20, 7 << 20),
        (None, None),
    ],
)
def test_memory_is_read_as_people_write_it(memory: Any, size: int | None) -> None:
    assert options(memory=memory).memory_bytes == size


@pytest.mark.parametrize(
    ("size", "text"), [(256 << 20, "256 MB"), (3 << 29, "1.5 GB"), (2048, "2 KB"), (5, "5 bytes"), (1 << 40, "1024 GB")]
)
def test_memory_is_said_as_people_do(size: int, text: str) -> None:
    assert memory_text(size) == text


@pytest.mark.parametrize("name", ["", "1A", "A=B", "A B", "--env", 3])
def test_the_name_of_a_variable_is_one(name: Any) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(f"env_vars has the name {name!r}")):
        options(env_vars={name: "value"})


@pytest.mark.parametrize(
    ("variables", "why"),
    [
        ({"TOKEN": 5}, "of type int; make it a string"),
        ({"TOKEN": None}, "of type NoneType; make it a string"),
        ({"TOKEN": "secret\0"}, "has a NUL in it or is too long"),
        ({"TOKEN": "secret" * 30_000}, "has a NUL in it or is too long"),
        ({"PATH": "secret\nlines"}, "the docker command cannot hand"),
        ({"docker_host": "secret\nlines"}, "the docker command cannot hand"),
    ],
)
def test_a_value_that_cannot_be_handed_on_is_refused_and_not_said(variables: Any, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as caught:
        options(env_vars=variables)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("volumes", "why"),
    [
        ({"/tmp": "relative"}, "each must end in"),
        ({"/tmp": "/data:rx"}, "each must end in"),
        ({"/tmp": "/data:ro:z"}, "each must end in"),
        ({"/tmp": None}, "each must end in"),
        ({"/no/such/folder": "/data"}, "there is no /no/such/folder; make it first"),
        ({"": "/data"}, "each must begin with a path, or the name of a volume"),
        ({"a b": "/data"}, "each must begin with a path, or the name of a volume"),
    ],
)
def test_a_volume_has_two_ends(volumes: Any, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        options(volumes=volumes)


def test_what_a_volume_begins_with_is_a_path_or_the_name_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    given = {"./data": "/a", Path("data"): "/b:ro", "data": "/c:rw", str(tmp_path): "/d"}
    mounts = options(volumes=given).mounts
    assert [(mount.source, mount.target, mount.is_read_only, mount.is_path) for mount in mounts] == [
        (str(tmp_path / "data"), "/a", False, True),
        (str(tmp_path / "data"), "/b", True, True),
        ("data", "/c", False, False),
        (str(tmp_path), "/d", False, True),
    ]


def test_without_a_network_there_is_no_port_to_publish() -> None:
    with pytest.raises(ConfigurationError, match="port is 8000 and network is 'none'"):
        options(network="none", port=8000)


@pytest.mark.parametrize("gpus", ["all", 2, "2", "device=0", "device=0,1", "device=GPU-3a23c669", None])
def test_gpus_are_said_in_dockers_ways(gpus: Any) -> None:
    assert options(gpus=gpus).gpus == gpus
