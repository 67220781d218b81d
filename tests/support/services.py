"""What a test does when something it needs from the machine is not there: skip on a laptop, fail in CI."""

import os

import pytest

__all__ = ["require"]


def require(condition: object, reason: str) -> None:
    """Go on if `condition` holds; otherwise skip with the reason, or fail with it where CI=true."""
    if condition:
        return
    if os.environ.get("CI") == "true":
        pytest.fail(f"CI=true, so this must not be skipped: {reason}", pytrace=False)
    pytest.skip(reason)
