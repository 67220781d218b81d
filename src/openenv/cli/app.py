"""The commands put together. Each lives in a module of its own, named after it; this one says which there are.

Decides the exit code of an error, the same for every command: 0 done, 1 failed, 2 misuse, 130 interrupted.
"""

from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from openenv.cli import bench, build, fork, init, output, prune, ps, push, serve, skills, stop, validate
from openenv.errors import ConfigurationError, HubError, OpenEnvError, ScaffoldError

__all__ = ["app", "exit_code"]


class _Commands(TyperGroup):
    """The command line, in which an expected error ends a command with a sentence instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:  # typed by whichever click typer brings along
        try:
            return super().invoke(ctx)
        except OpenEnvError as error:
            output.error(error)
            raise typer.Exit(exit_code(error)) from error


def exit_code(error: OpenEnvError) -> int:
    """Say whether the user asked for something impossible (2) or something failed (1)."""
    if isinstance(error, HubError | ScaffoldError):
        return error.exit_code
    return 2 if isinstance(error, ConfigurationError) else 1


def _print_version(wanted: bool) -> None:
    if wanted:
        output.answer(f"openenv-runtime {version('openenv-runtime')}")
        raise typer.Exit


app = typer.Typer(
    name="openenv",
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    # A mistake of ours is reported with Python's own traceback, which bug reports can quote whole.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _openenv(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Scaffold, serve and drive environments for training and testing agents."""


# One line a command; its module keeps what is slow to import inside the function.
app.command("init")(init.init)
app.command("bench")(bench.bench)
app.command("build")(build.build)
app.command("fork")(fork.fork)
app.command("prune")(prune.prune)
app.command("ps")(ps.ps)
app.command("push")(push.push)
app.command("serve")(serve.serve)
app.add_typer(skills.app, name="skills", help="A skill file that teaches coding assistants this tool.")
app.command("stop")(stop.stop)
app.command("validate")(validate.validate)
