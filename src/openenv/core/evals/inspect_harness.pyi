# Made by scripts/stubs; what happens is in openenv/compat.
from openenv.evals import InspectAIHarness as InspectAIHarness
