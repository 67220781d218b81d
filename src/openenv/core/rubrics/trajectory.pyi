# Made by scripts/stubs; what happens is in openenv/compat.
from openenv.env.rubrics import ExponentialDiscountingTrajectoryRubric as ExponentialDiscountingTrajectoryRubric
from openenv.env.rubrics import TrajectoryRubric as TrajectoryRubric
