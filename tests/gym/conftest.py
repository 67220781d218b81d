"""Servers of Gymnasium environments, each a real one, for the tests that drive them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from openenv.gym import create_app_from_gym
from tests.support.serving import serving

Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve what `create_app_from_gym` takes, and give the URL; stopped when the test is over."""
    with ExitStack() as stack:

        def start(make: Any, kwargs: dict[str, Any] | None = None, **options: Any) -> str:
            return stack.enter_context(serving(create_app_from_gym(make, kwargs, **options)))

        yield start
