# Made by scripts/stubs; what happens is in openenv/compat.
from openenv.evals import EvalHarness as EvalHarness
