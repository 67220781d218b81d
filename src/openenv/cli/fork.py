"""`openenv fork`: somebody's Space becomes one of yours. How it is duplicated is the hub's."""

from typing import Annotated

import typer

from openenv.cli import output
from openenv.cli.hub import log_in, secrets, variables

__all__ = ["fork"]


def fork(
    source: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The Space to duplicate.")],
    repo_id: Annotated[
        str | None,
        typer.Option("--repo-id", "-r", metavar="OWNER/NAME", help="The Space to make.", show_default="you/its name"),
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Let nobody else see it.")] = False,
    set_env: Annotated[
        list[str] | None, typer.Option("--set-env", "-e", metavar="NAME=VALUE", help="A variable of the new Space.")
    ] = None,
    set_secret: Annotated[
        list[str] | None,
        typer.Option(
            "--set-secret", "--secret", "-s", metavar="NAME", help="A secret, taken from your variable of that name."
        ),
    ] = None,
    hardware: Annotated[
        str, typer.Option("--hardware", "-H", metavar="FLAVOR", help="What it runs on, such as t4-small.")
    ] = "cpu-basic",
) -> None:
    """Duplicate a Hugging Face Space, with variables and secrets of your own. Its own secrets stay where they are."""
    from openenv.hub.space import addresses, routes, space_ids, space_name  # not needed to print help

    name = space_name(source)
    space_ids(name, user="you", repo_id=repo_id)  # so that a name the Hub would not take is told before anybody logs in
    given = variables(set_env or (), "--set-env")
    hidden = secrets(set_secret or (), "--set-secret")
    hub, account = log_in(writing=True)
    (made,) = space_ids(name, user=account.name, repo_id=repo_id)
    output.note(f"Duplicating {source} as {made}")
    hub.duplicate(source, made, private=private, hardware=hardware, variables=given, secrets=hidden)
    where = addresses(made, endpoint=hub.endpoint)
    seen = " (private)" if private else ""
    lines = [f"  {name:<8}{url}" for name, url in routes(where, interface=True).items()]
    output.answer("\n".join([f"Forked {source} as {made}{seen}: {where.page}", *lines]))
