"""`openenv.server.nursery`: how the end of a process is told. What it starts is tried in `test_isolation`."""

import pytest

from openenv.server.nursery import describe_exit


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (0, "exit code 0"),
        (3, "exit code 3"),
        (-11, "killed by signal 11 (SIGSEGV)"),
        (-9, "killed by signal 9 (SIGKILL)"),
        (-99, "killed by signal 99"),
    ],
)
def test_end_of_a_process_is_told_by_name(code: int, told: str) -> None:
    assert describe_exit(code) == told
