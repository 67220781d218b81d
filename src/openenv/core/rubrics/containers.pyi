# Made by scripts/stubs; what happens is in openenv/compat.
from openenv.env.rubrics import Gate as Gate
from openenv.env.rubrics import RubricDict as RubricDict
from openenv.env.rubrics import RubricList as RubricList
from openenv.env.rubrics import Sequential as Sequential
from openenv.env.rubrics import WeightedSum as WeightedSum
