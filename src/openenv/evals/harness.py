"""What an evaluation is: a configuration that can be written down, a harness that runs it, and its scores."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from openenv.errors import ConfigurationError, OpenEnvError

__all__ = ["EvalConfig", "EvalFailed", "EvalHarness", "EvalResult"]


class EvalFailed(OpenEnvError, RuntimeError):
    """An evaluation did not come to its end."""


class EvalConfig(BaseModel):
    """All that it takes to run an evaluation again. The versions are recorded, and not enforced."""

    model_config = ConfigDict(extra="forbid")

    harness_name: str
    harness_version: str
    library_versions: dict[str, str]
    dataset: str
    eval_parameters: dict[str, Any] = Field(description="As the harness knows them.")


class EvalResult(BaseModel):
    """The scores of an evaluation, and what was evaluated."""

    model_config = ConfigDict(extra="forbid")

    config: EvalConfig
    scores: dict[str, Any]


class EvalHarness(ABC):
    """Runs evaluations. Subclass it and write `run`."""

    @abstractmethod
    def run(
        self,
        harness_version: str,
        library_versions: Mapping[str, str],
        dataset: str,
        eval_parameters: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Run an evaluation and give its scores by name.

        Args:
            harness_version: Of the harness, for the record.
            library_versions: Of the libraries it uses, for the record.
            dataset: What is evaluated on.
            eval_parameters: The harness's own.
        """

    def run_from_config(self, config: EvalConfig) -> EvalResult:
        """Run what a configuration says.

        Raises:
            ConfigurationError: It is for another harness.
        """
        if config.harness_name != self.name:
            raise ConfigurationError(f"this evaluation is for the harness {config.harness_name!r}, not for {self.name}")
        scores = self.run(config.harness_version, config.library_versions, config.dataset, config.eval_parameters)
        return EvalResult(config=config, scores=scores)

    @property
    def name(self) -> str:
        """By which configurations name this harness."""
        return type(self).__name__
