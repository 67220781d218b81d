"""What every test gets without asking: an environment with no setting of ours in it, and a check that it cleans up."""

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.support.leftovers import Holdings, leftovers

settings.register_profile("ours", deadline=None)  # how long an example takes says how busy the machine is
settings.load_profile("ours")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that runs us in the background has SIGINT ignored, and every process we start would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)

_PATIENCE_S = 5


def _forget_settings() -> None:
    for name in list(os.environ):
        if name.startswith("OPENENV_") or name == "ENABLE_WEB_INTERFACE":
            del os.environ[name]


_forget_settings()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "leaves_threads(reason): threads, children or sockets may outlive this test")


@pytest.fixture(autouse=True)
def clean_environment() -> Iterator[None]:
    yield
    _forget_settings()  # a command that runs in this process has set some, and what is started next must not see them


@pytest.fixture(autouse=True)
def leaves_nothing_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    marker = request.node.get_closest_marker("leaves_threads")
    if marker and not any((*marker.args, *marker.kwargs.values())):
        pytest.fail("leaves_threads needs a reason", pytrace=False)
    before = Holdings.now()
    yield
    if not marker and (left := leftovers(before, within_s=_PATIENCE_S)):
        pytest.fail(f"the test left behind, {_PATIENCE_S} s after it ended: {', '.join(left)}", pytrace=False)
