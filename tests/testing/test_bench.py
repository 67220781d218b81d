"""A benchmark gives a row to each shape, and a reason where it has no figures."""

import os
from pathlib import Path
from typing import Annotated

import orjson
import pytest
from pydantic import Field

from openenv import Action, create_app
from openenv.errors import ConfigurationError
from openenv.server import ServerConfig
from openenv.testing.bench import Row, Shape, bench, machine, resident_bytes
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation
from tests.support.serving import serving


def test_each_shape_has_its_row_and_the_figures_fit_each_other() -> None:
    told: list[Row] = []
    shapes = [Shape(sessions=1), Shape(sessions=4)]
    with serving(create_app(EchoEnvironment, EchoAction, EchoObservation)) as url:
        measured = bench(url, shapes, seconds=0.2, on_row=told.append)
    assert measured.target == url
    assert list(measured.rows) == told
    assert [row.shape for row in told] == shapes
    for row in told:
        assert row.problem is None
        assert row.faults == {}
        assert row.steps_per_s > 0
        assert 0 < row.step_p50_s <= row.step_p99_s
        assert row.open_p50_s > 0
        assert row.bytes_per_session is None
    assert orjson.loads(orjson.dumps(measured.to_json()))["rows"][1]["shape"]["sessions"] == 4


def test_a_shape_without_room_has_a_reason_and_the_others_their_figures() -> None:
    app = create_app(EchoEnvironment, EchoAction, EchoObservation, config=ServerConfig(max_sessions=2, queue_s=0))
    with serving(app) as url:
        full, fits = bench(url, [Shape(sessions=3), Shape(sessions=2)], seconds=0.1).rows
    assert full.problem is not None
    assert "CAPACITY_REACHED" in full.problem
    assert (fits.problem, fits.steps_per_s > 0) == (None, True)


class Riddle(Action):
    """Nobody can make one up."""

    answer: Annotated[str, Field(json_schema_extra={"pattern": r"^[^\s\S]$"})]


def test_an_action_that_cannot_be_made_up_is_asked_for() -> None:
    with serving(create_app(EchoEnvironment, Riddle, EchoObservation)) as url:
        with pytest.raises(ConfigurationError, match="--action"):
            bench(url, [Shape(sessions=1)], seconds=0.1)
        (row,) = bench(url, [Shape(sessions=1)], seconds=0.1, actions=[{"answer": "x"}]).rows
        assert row.problem is not None  # the echo environment knows no `answer`


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc here")
def test_memory_is_that_of_the_whole_process_group() -> None:
    found = resident_bytes(os.getpgid(0))
    assert found is not None
    assert found > 10 * 1024 * 1024
    assert resident_bytes(2**30) is None


def test_the_machine_is_described() -> None:
    about = machine()
    assert about["cores"] >= 1
    assert about["python"].startswith("3.")
    assert about["system"]
