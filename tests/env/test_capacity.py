"""`openenv.env.capacity`: models of how full a server is."""

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from openenv.env.capacity import ConcurrencyConfig, ServerCapacityStatus, SessionInfo


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (ConcurrencyConfig, {"max_concurrent_envs": 0}),
        (ConcurrencyConfig, {"session_timeout": 0}),
        (ConcurrencyConfig, {"timeout": 5}),
        (ServerCapacityStatus, {"active_sessions": -1, "max_sessions": 1}),
        (SessionInfo, {"session_id": "x"}),
    ],
)
def test_what_makes_no_sense_is_refused(model: type[BaseModel], data: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        model.model_validate(data)


def test_capacity_is_counted() -> None:
    status = ServerCapacityStatus.from_counts(3, 2)  # while one ends and another begins
    assert (status.available_slots, status.is_at_capacity) == (0, True)
    assert ServerCapacityStatus.from_counts(1, 2).available_slots == 1


def test_defaults_are_upstreams() -> None:
    assert ConcurrencyConfig().model_dump() == {"max_concurrent_envs": 1, "session_timeout": None}
