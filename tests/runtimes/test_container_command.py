"""The arguments of the `docker` commands that start a container or a service."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from openenv.runtimes.container_command import RunCommand, container_name, run_command, service_command
from openenv.runtimes.container_options import ContainerOptions
from openenv.runtimes.owner import Owner

OWNER = Owner(7, "then", "here")


def container(**options: Any) -> RunCommand:
    return run_command(ContainerOptions(image="an_image", **options), name="a_name", run="a_run", owner=OWNER)


def service(**options: Any) -> RunCommand:
    options = {"image": "an_image", **options}
    return service_command(ContainerOptions(**options), name="a_name", replicas=3, run="a_run", owner=OWNER)


def after(argv: list[str], option: str) -> list[str]:
    """Give every value of an option."""
    return [value for name, value in pairwise(argv) if name == option]


@pytest.mark.parametrize("build", [container, service])
def test_no_value_of_a_variable_is_in_the_arguments(build: Any) -> None:
    command = build(env_vars={"TOKEN": "secret", "KEY": "secret\nlines", "LONG": "secret" * 6000})
    assert "secret" not in " ".join(command.argv)
    assert command.stdin == b"TOKEN=secret\n"
    assert after(command.argv, "--env-file") == ["/dev/stdin"]
    assert after(command.argv, "--env") == ["KEY", "LONG"]
    assert command.env == {"KEY": "secret\nlines", "LONG": "secret" * 6000}


@pytest.mark.parametrize("build", [container, service])
def test_without_variables_nothing_is_said_of_them(build: Any) -> None:
    command = build()
    assert not {"--env", "--env-file"} & set(command.argv)
    assert (command.stdin, command.env) == (b"", {})


@pytest.mark.parametrize("build", [container, service])
def test_the_image_is_the_last_argument_so_that_nothing_runs_but_its_own_command(build: Any) -> None:
    assert build(env_vars={"A": "b"}, volumes={"kept": "/kept"}).argv[-1] == "an_image"


def test_a_container_is_restricted_whatever_it_is_given() -> None:
    argv = container(memory=None, cpus=None, pids=None).argv
    assert after(argv, "--security-opt") == ["no-new-privileges"]
    assert after(argv, "--cap-drop") == ["ALL"]
    assert "--init" in argv
    assert not {"--memory", "--memory-swap", "--cpus", "--pids-limit", "--privileged"} & set(argv)


@pytest.mark.parametrize(
    ("gpus", "argument"),
    [("all", ["all"]), (2, ["2"]), ("device=0", ["device=0"]), ("device=0,1", ['"device=0,1"']), (None, [])],
)
def test_gpus_are_quoted_as_docker_reads_them(gpus: Any, argument: list[str]) -> None:
    assert after(container(gpus=gpus).argv, "--gpus") == argument


def test_limits_are_in_the_engines_units() -> None:
    argv = container(memory="96m", cpus=0.5, pids=40).argv
    assert after(argv, "--memory") == after(argv, "--memory-swap") == [str(96 << 20)]
    assert (after(argv, "--cpus"), after(argv, "--pids-limit")) == (["0.5"], ["40"])


@pytest.mark.parametrize(("port", "published"), [(None, "127.0.0.1::9000"), (8123, "127.0.0.1:8123:9000")])
def test_a_port_is_published_on_loopback(port: int | None, published: str) -> None:
    argv = container(port=port, container_port=9000).argv
    assert after(argv, "--publish") == [published]
    assert after(argv, "--network") == ["bridge"]


def test_without_a_network_nothing_is_published() -> None:
    argv = container(network="none").argv
    assert "--publish" not in argv
    assert after(argv, "--network") == ["openenv-isolated"]


def test_a_path_with_a_comma_is_quoted(tmp_path: Path) -> None:
    (folder := tmp_path / 'a,"b').mkdir()
    quoted = str(folder).replace('"', '""')
    assert after(container(volumes={folder: "/data:ro"}).argv, "--mount") == [
        f'type=bind,"source={quoted}",target=/data,readonly'
    ]


def test_the_labels_say_whose_it_is_and_where_it_listens() -> None:
    labels = ["openenv.run=a_run", f"openenv.owner={OWNER}", "openenv.port=8000"]
    assert after(container().argv, "--label") == labels
    assert after(service().argv, "--label") == after(service().argv, "--container-label") == labels


def test_each_replica_has_a_port_of_its_own_node() -> None:
    argv = service(container_port=9000, memory=None, cpus=None, pids=None).argv
    assert after(argv, "--publish") == ["mode=host,target=9000,protocol=tcp"]
    assert after(argv, "--replicas") == ["3"]
    assert not {"--limit-memory", "--limit-cpu", "--limit-pids"} & set(argv)


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("my_env-env:latest", "openenv-my_env-env-01234567"),
        ("ghcr.io/org/my_env:1.0", "openenv-my_env-01234567"),
        ("localhost:5000/my_env", "openenv-my_env-01234567"),
        ("my_env@sha256:0123", "openenv-my_env-01234567"),
        ("sha256:0123", "openenv-sha256-01234567"),
    ],
)
def test_a_container_is_named_after_its_image(image: str, name: str) -> None:
    assert container_name(image, "0123456789") == name
