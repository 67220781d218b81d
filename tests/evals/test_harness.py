"""Configurations, results, and the harness that has them in hand."""

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from openenv.errors import ConfigurationError
from openenv.evals import EvalConfig, EvalHarness, EvalResult


class Counting(EvalHarness):
    def run(
        self,
        harness_version: str,
        library_versions: Mapping[str, str],
        dataset: str,
        eval_parameters: Mapping[str, Any],
    ) -> dict[str, Any]:
        return {"seen": [harness_version, dict(library_versions), dataset, dict(eval_parameters)]}


def config(harness: str = "Counting") -> EvalConfig:
    return EvalConfig(
        harness_name=harness,
        harness_version="1.0",
        library_versions={"openenv": "0.1"},
        dataset="quiz",
        eval_parameters={"model": "m"},
    )


def test_a_configuration_goes_to_the_harness_and_comes_back_with_the_scores() -> None:
    result = Counting().run_from_config(config())
    assert result == EvalResult(config=config(), scores={"seen": ["1.0", {"openenv": "0.1"}, "quiz", {"model": "m"}]})
    assert EvalResult.model_validate_json(result.model_dump_json()) == result
    assert Counting().name == "Counting"


def test_a_configuration_for_another_harness_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="for the harness 'Other', not for Counting"):
        Counting().run_from_config(config("Other"))


@pytest.mark.parametrize("kind", [EvalConfig, EvalResult])
def test_nothing_is_taken_that_means_nothing(kind: Any) -> None:
    with pytest.raises(ValidationError, match="colour"):
        kind.model_validate({"colour": "red"})
