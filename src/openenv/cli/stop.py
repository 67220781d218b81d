"""`openenv stop`: takes away containers of ours, by name or all of them."""

from typing import Annotated

import typer

from openenv.cli import output
from openenv.errors import ConfigurationError

__all__ = ["stop"]


def stop(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME", help="Containers, as `openenv ps` lists them.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every container of ours, whoever started it.")] = False,
    grace_s: Annotated[
        int, typer.Option("--grace", metavar="SECONDS", min=0, help="How long each may take to end by itself.")
    ] = 10,
) -> None:
    """Stop and remove containers that `openenv ps` lists."""
    if all_ == bool(names):
        raise ConfigurationError("say which containers to stop: their names, or --all")
    from openenv.runtimes import containers  # not needed to print help

    wanted = containers.list_containers() if all_ else containers.find(names or [])
    if not wanted:
        output.note("There is nothing to stop.")
        return
    containers.remove(wanted, grace_s=grace_s)
    if all_:
        containers.remove_network()
    output.answer("\n".join(one.name for one in wanted))
