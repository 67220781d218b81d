"""What an agent sends to the environment, and what it gets back."""

from openenv import Action, Observation
from pydantic import Field


class CodeAction(Action):
    """What the agent does: it runs some code."""

    code: str = Field(
        max_length=100_000,
        description="Python to run. Variables, functions and files of earlier steps are still there.",
        json_schema_extra={"format": "textarea"},
    )


class CodeObservation(Observation):
    """What came of the code. `reward`, `done` and `metadata` come with every observation."""

    stdout: str = Field(default="", description="What it printed.")
    stderr: str = Field(default="", description="What it printed there, a traceback included.")
    exit_code: int = Field(
        default=0, description="0 if all went well, 1 after an exception; minus a signal's number if it was killed."
    )
    exception: str | None = Field(default=None, description="What was raised, or what ended the interpreter.")
    timed_out: bool = Field(default=False, description="Whether it was stopped at the time limit.")
    truncated_output: bool = Field(default=False, description="Whether it printed more than is shown.")
    interpreter_ended: bool = Field(
        default=False, description="Whether the interpreter is gone, and all variables with it. The files are not."
    )
    prompt: str = Field(default="", description="What the task asks for; empty without one.")
    tests_passed: int = Field(default=0, description="How many of the task's hidden tests passed.")
    tests_total: int = Field(default=0, description="How many there are.")
