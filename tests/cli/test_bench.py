"""`openenv bench`: what it prints, and how it ends."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from openenv import create_app
from openenv.cli.app import app
from openenv.cli.bench import table
from openenv.server import ServerConfig
from openenv.testing.bench import Benchmark, Row, Shape
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation
from tests.support.folders import environment_folder
from tests.support.serving import serving

QUICK = ["--seconds", "0.1", "--connections", "1,2", "--vectors", "3"]


def test_figures_stand_in_columns() -> None:
    rows = (
        Row(
            shape=Shape(sessions=256, is_vector=True), steps_per_s=12345.6, step_p50_s=0.0012, step_p99_s=0.25,
            open_p50_s=0.003, bytes_per_session=4096.0, faults={"EXECUTION_ERROR": 2},
        ),
        Row(shape=Shape(sessions=1), problem="no room"),
    )  # fmt: skip
    about = {"processor": "a processor", "cores": 2, "system": "a system", "python": "3.11"}
    assert table(Benchmark(target="http://x", machine=about, rows=rows)) == [
        "sessions         steps/s  step p50        p99  open p50  memory each",
        "256 in a vector   12,346   1.20 ms  250.00 ms   3.00 ms        4 KiB  2 x EXECUTION_ERROR",
        "1 socket                                                              no room",
        "",
        "2 cores of a processor, a system, Python 3.11",
    ]


@pytest.mark.timeout(60)
def test_a_folder_is_served_measured_and_drawn(tmp_path: Path) -> None:
    folder, plot = environment_folder(tmp_path), tmp_path / "plot.svg"
    ran = CliRunner().invoke(app, ["bench", str(folder), *QUICK, "--json", "--plot", str(plot)])
    assert ran.exit_code == 0, ran.output
    measured = json.loads(ran.stdout)
    assert [row["shape"]["sessions"] for row in measured["rows"]] == [1, 2, 3]
    assert all(row["steps_per_s"] > 0 and row["bytes_per_session"] is not None for row in measured["rows"])
    assert plot.read_text().startswith("<svg ")


def test_a_server_is_measured_where_it_is() -> None:
    with serving(create_app(EchoEnvironment, EchoAction, EchoObservation)) as url:
        ran = CliRunner().invoke(app, ["bench", url, *QUICK, "--action", '{"message": "hi"}'])
    assert (ran.exit_code, ran.stderr) == (0, "")
    assert [line.split()[:2] for line in ran.stdout.splitlines()[:4]] == [
        ["sessions", "steps/s"],
        ["1", "socket"],
        ["2", "sockets"],
        ["3", "in"],
    ]


def test_a_server_that_has_no_room_ends_with_1_and_a_reason() -> None:
    echo = create_app(EchoEnvironment, EchoAction, EchoObservation, config=ServerConfig(max_sessions=1, queue_s=0))
    with serving(echo) as url:
        ran = CliRunner().invoke(app, ["bench", url, "--seconds", "0.1", "--connections", "2", "--vectors", ""])
    assert ran.exit_code == 1
    assert "CAPACITY_REACHED" in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--connections", "1,many"], "--connections '1,many': give whole numbers of 1 or more"),
        (["--vectors", "0"], "--vectors '0': give whole numbers of 1 or more"),
        (["--connections", "", "--vectors", ""], "both empty"),
        (["--action", "{"], "--action '{' is no JSON"),
        (["--action", "[1]"], "--action '[1]' must be a JSON object"),
    ],
)
def test_misuse_ends_with_2_and_says_what_to_do(arguments: list[str], said: str) -> None:
    ran = CliRunner().invoke(app, ["bench", "http://localhost:1", *arguments])
    assert ran.exit_code == 2
    assert said in ran.stderr


def test_nobody_there_ends_with_1() -> None:
    ran = CliRunner().invoke(app, ["bench", "http://127.0.0.1:1", *QUICK])
    assert ran.exit_code == 1
    assert ran.stderr.startswith("error: ")
