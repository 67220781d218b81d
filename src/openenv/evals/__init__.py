"""Evaluations of models: what was run, by which harness, and the scores it gave."""

from openenv.evals.harness import EvalConfig, EvalFailed, EvalHarness, EvalResult
from openenv.evals.inspect_harness import InspectAIHarness

__all__ = ["EvalConfig", "EvalFailed", "EvalHarness", "EvalResult", "InspectAIHarness"]
