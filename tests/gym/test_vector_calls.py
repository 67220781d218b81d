"""What a vector is called with is checked as Gymnasium's own vectors check it."""

from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from openenv.errors import UsageError
from openenv.gym.vector_calls import check_turn, mask_in, seeds_for


@pytest.mark.parametrize(
    ("seed", "seeds"),
    [(None, [None] * 3), (4, [4, 5, 6]), (np.int64(4), [4, 5, 6]), ((7, None, 1), [7, None, 1])],
)
def test_each_lane_has_its_seed(seed: Any, seeds: list[int | None]) -> None:
    assert seeds_for(seed, 3) == seeds


@pytest.mark.parametrize("seed", [[], [1], [1, 2, 3, 4]])
def test_seeds_of_another_number_are_refused(seed: list[int | None]) -> None:
    with pytest.raises(ValueError, match=f"{len(seed)} seeds were given for 3 environments"):
        seeds_for(seed, 3)


def test_all_lanes_are_reset_unless_a_mask_says_which() -> None:
    assert mask_in(None, 2, has_begun=False).tolist() == [True, True]
    assert mask_in({"a": 1}, 2, has_begun=False).tolist() == [True, True]
    assert mask_in({"reset_mask": np.array([False, True])}, 2, has_begun=True).tolist() == [False, True]


@pytest.mark.parametrize(
    ("mask", "has_begun", "error"),
    [
        ([True, False], True, TypeError),
        (np.array([1, 0]), True, TypeError),
        (np.array([True]), True, ValueError),
        (np.array([[True, True]]), True, ValueError),
        (np.array([False, False]), True, ValueError),
        (np.array([False, True]), False, UsageError),
    ],
)
def test_mask_that_does_not_fit_is_refused(mask: Any, has_begun: bool, error: type[Exception]) -> None:
    with pytest.raises(error):
        mask_in({"reset_mask": mask}, 2, has_begun=has_begun)


def test_step_comes_after_a_reset_and_where_nothing_resets_by_itself_not_after_an_end() -> None:
    ended = np.array([False, True])
    check_turn(AutoresetMode.NEXT_STEP, ended, has_begun=True)
    check_turn(None, ended, has_begun=True)
    check_turn(AutoresetMode.DISABLED, ~ended & ended, has_begun=True)
    with pytest.raises(UsageError, match="before reset"):
        check_turn(AutoresetMode.NEXT_STEP, ended, has_begun=False)
    with pytest.raises(UsageError, match="the episodes of lanes 1 have ended"):
        check_turn(AutoresetMode.DISABLED, ended, has_begun=True)
