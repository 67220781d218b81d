"""`openenv.env.http_models`: bodies that refuse what makes no sense, and load no web framework."""

import subprocess
import sys
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from openenv.env.http_models import (
    GetTaskRangeRequest,
    GetTaskRequest,
    HealthResponse,
    HealthStatus,
    ListTasksRequest,
    NumTasksRequest,
    ResetRequest,
    ResetResponse,
    SchemaResponse,
    StepRequest,
    StepResponse,
)


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (ListTasksRequest, {}),
        (NumTasksRequest, {"split": "train", "more": 1}),
        (GetTaskRequest, {"split": "train"}),
        (GetTaskRangeRequest, {"split": "train", "start": "first"}),
        (ResetRequest, {"seed": -1}),
        (ResetRequest, {"episode_id": "x" * 256}),
        (StepRequest, {"action": []}),
        (StepRequest, {"action": {}, "timeout_s": 0}),
        (ResetResponse, {"reward": 1.0}),
        (StepResponse, {"observation": {}, "more": 1}),
        (SchemaResponse, {"action": {}}),
        (HealthResponse, {"status": "fine"}),
    ],
)
def test_what_makes_no_sense_is_refused(model: type[BaseModel], data: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        model.model_validate(data)


def test_defaults_are_those_of_the_wire() -> None:
    assert HealthResponse().model_dump(mode="json") == {"status": "healthy"}
    assert HealthStatus("degraded") is HealthStatus.DEGRADED
    assert ResetRequest.model_validate({"seed": 1, "level": 3}).model_extra == {"level": 3}


def test_models_load_no_web_framework() -> None:
    names = ("capacity", "http_models", "modes", "payloads", "tasks", "transforms")
    imports = "; ".join(f"import openenv.env.{name}" for name in names)
    program = f"import sys; {imports}; print({{'fastapi', 'starlette', 'fastmcp', 'mcp'}} & sys.modules.keys())"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "set()\n"
