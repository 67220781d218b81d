"""`openenv build`: what it is asked, and what it says. What goes into an image and how it is built is the hub's."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from openenv.cli import output
from openenv.errors import ConfigurationError, EngineFailed

if TYPE_CHECKING:
    from openenv.hub.context import Context

__all__ = ["build", "notes"]


def build(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The environment's folder.")] = Path(),
    tag: Annotated[
        str | None, typer.Option("--tag", "-t", help="What to call the image.", show_default="NAME-env:latest")
    ] = None,
    base_image: Annotated[
        str | None,
        typer.Option("--base-image", "-b", metavar="IMAGE", help="Build on this.", show_default="the Dockerfile's"),
    ] = None,
    platform: Annotated[
        str | None, typer.Option(metavar="OS/ARCH", help="Such as linux/amd64.", show_default="the engine's")
    ] = None,
    push: Annotated[bool, typer.Option("--push", help="Then send it to the registry its name begins with.")] = False,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Do every step anew.")] = False,
    build_arg: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[=VALUE]", help="An ARG of the Dockerfile; NAME alone takes your variable."),
    ] = None,
    network: Annotated[
        str | None, typer.Option(help="What the steps may reach: host, none, ...", show_default="the engine's")
    ] = None,
) -> None:
    """Build the container image of an environment. Nothing in its folder is changed."""
    from openenv.hub import image, read_manifest  # YAML is not needed to print help

    folder = path.resolve()
    manifest = read_manifest(folder)
    plan = image.BuildPlan(
        tag=tag or image.default_tag(manifest.name),
        dockerfile=image.find_dockerfile(folder),
        platform=platform,
        no_cache=no_cache,
        build_args=build_arg or (),
        network=network,
    )
    if push and "/" not in plan.tag:
        raise ConfigurationError(f"{plan.tag} names no registry to push to; --tag ghcr.io/you/{plan.tag} would")
    context = image.build_context(folder, plan.dockerfile, base_image=base_image)
    for note in [*notes(context), *context.notes]:
        output.hint(note)
    try:
        with output.progress(f"Building {plan.tag}") as on_line:
            image.build_image(context, plan, on_line)
        if push:
            with output.progress(f"Pushing {plan.tag}") as on_line:
                image.push_image(plan.tag, on_line)
    except EngineFailed as error:
        error.logs = ""  # they are on the screen already
        raise
    output.answer(f"{'Pushed' if push else 'Built'} {plan.tag}")


def notes(context: "Context") -> list[str]:
    """Say what of the folder the image will lack, though nobody asked for that."""
    said = []
    if context.withheld:
        said.append(f"not sent, since they look like secrets: {', '.join(context.withheld)}")
    if context.leading_out:
        said.append(f"links that lead out of the folder lead nowhere in the image: {', '.join(context.leading_out)}")
    return said
