# Made by scripts/stubs; what happens is in openenv/compat.
from openenv.env.rubrics import Rubric as Rubric
