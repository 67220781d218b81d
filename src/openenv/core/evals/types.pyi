# Made by scripts/stubs; what happens is in openenv/compat.
from openenv.evals import EvalConfig as EvalConfig
from openenv.evals import EvalResult as EvalResult
