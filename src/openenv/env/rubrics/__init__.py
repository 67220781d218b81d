"""Rewards as trees: rubrics that score a step, containers that combine them, and a judge that asks a language model."""

from openenv.env.rubrics.base import Rubric
from openenv.env.rubrics.containers import Gate, RubricDict, RubricList, Sequential, WeightedSum
from openenv.env.rubrics.failures import BadScore, JudgeFailed, RubricFailed
from openenv.env.rubrics.judge import LLMJudge
from openenv.env.rubrics.trajectory import ExponentialDiscountingTrajectoryRubric, TrajectoryRubric

__all__ = [
    "BadScore",
    "ExponentialDiscountingTrajectoryRubric",
    "Gate",
    "JudgeFailed",
    "LLMJudge",
    "Rubric",
    "RubricDict",
    "RubricFailed",
    "RubricList",
    "Sequential",
    "TrajectoryRubric",
    "WeightedSum",
]
