"""`openenv push`: what it is asked, and what it says. What a Space holds and how it is published is the hub's."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from openenv.cli import output
from openenv.cli.hub import log_in, secrets, variables
from openenv.errors import ConfigurationError, EngineFailed

if TYPE_CHECKING:
    from openenv.hub.publish import Published, SpaceSettings
    from openenv.hub.space import SpaceContents

__all__ = ["listing", "proposal", "push", "summary"]

_TOLD = ("static.manifest", "static.structure", "static.app", "static.project", "static.imports")


def push(
    path: Annotated[Path | None, typer.Argument(metavar="DIR", help="The environment's folder.")] = None,
    directory: Annotated[
        Path | None, typer.Option("--directory", "-d", metavar="DIR", help="The same, as an option.")
    ] = None,
    repo_id: Annotated[
        str | None,
        typer.Option("--repo-id", "-r", metavar="OWNER/NAME", help="Which Space.", show_default="you/the environment"),
    ] = None,
    namespace: Annotated[
        str | None, typer.Option(metavar="OWNER", help="The user or organization that owns it.", show_default="you")
    ] = None,
    base_image: Annotated[
        str | None,
        typer.Option("--base-image", "-b", metavar="IMAGE", help="Build on this.", show_default="the Dockerfile's"),
    ] = None,
    private: Annotated[bool, typer.Option("--private", help="Let nobody else see the Space.")] = False,
    registry: Annotated[
        str | None,
        typer.Option(metavar="HOST/OWNER", help="Build the image and send it there, in place of a Space."),
    ] = None,
    create_pr: Annotated[bool, typer.Option("--create-pr", help="Open a pull request; change nothing.")] = False,
    exclude: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="A file of patterns of what to leave out.")
    ] = None,
    hardware: Annotated[
        str | None, typer.Option("--hardware", "-H", metavar="FLAVOR", help="What it runs on, such as t4-small.")
    ] = None,
    env_var: Annotated[
        list[str] | None, typer.Option("--env-var", "-e", metavar="NAME=VALUE", help="A variable of the Space.")
    ] = None,
    secret: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A secret, taken from your variable of that name.")
    ] = None,
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many Spaces; several are numbered.")] = 1,
    interface: Annotated[bool, typer.Option("--interface/--no-interface", help="The page at /web.")] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be published, and ask nobody.")] = False,
) -> None:
    """Publish an environment as a Hugging Face Space, or its image in a registry. Its folder stays as it is."""
    from openenv.hub.publish import SpaceSettings  # not needed to print help
    from openenv.hub.space import contents_of, space_ids

    folder = _folder(path, directory).resolve()
    if registry is not None:
        if repo_id or namespace or private or create_pr or exclude or hardware or env_var or secret or count > 1:
            raise ConfigurationError(
                "an image is no Space: with --registry only --base-image, --interface and --dry-run can be said"
            )
        _push_image(folder, registry, base_image=base_image, interface=interface, dry_run=dry_run)
        return
    contents = contents_of(folder, base_image=base_image, interface=interface, exclude=_patterns(exclude or ()))
    settings = SpaceSettings(
        private=private,
        hardware=hardware,
        variables=variables(env_var or (), "--env-var"),
        secrets=secrets(secret or (), "--secret"),
    )
    if create_pr and (settings != SpaceSettings() or count > 1):
        raise ConfigurationError(
            "a pull request carries files only: leave out --create-pr, or else --private, --hardware, --env-var,"
            " --secret and --count"
        )
    _tell_flaws(folder)
    if contents.withheld:
        output.hint(f"not published, since they look like secrets: {', '.join(contents.withheld)}")
    for note in contents.notes:
        output.hint(note)
    ids = partial(space_ids, contents.manifest.name, repo_id=repo_id, namespace=namespace, count=count)
    if dry_run:
        output.answer(listing(contents, settings, ids(user="you")))
    else:
        ids(user="you")  # so that a name the Hub would not take is told before anybody logs in
        _publish(contents, settings, ids, create_pr=create_pr, interface=interface)


def listing(contents: "SpaceContents", settings: "SpaceSettings", ids: Sequence[str]) -> str:
    """Say what would be published: where, which files, and the front matter. No value of a secret is in it."""
    lines = [f"Space: {each}" for each in ids]
    lines += ["Private: yes"] if settings.private else []
    lines += [f"Hardware: {settings.hardware}"] if settings.hardware else []
    lines += [f"Variable: {key}={value}" for key, value in settings.variables.items()]
    lines += [f"Secret: {key}" for key in settings.secrets]
    lines += ["", f"Files ({len(contents.files)}):"]
    for file in contents.files:
        made = {None: "", file.path: "  (adapted)"}.get(file.made_from, f"  (from {file.made_from})")
        lines.append(f"  {file.path}{made}")
    return "\n".join([*lines, "", "Front matter of README.md:", contents.front_matter])


def summary(published: "Published", *, interface: bool) -> str:
    """Say where the Space is and what its server offers."""
    from openenv.hub.space import routes  # as above

    seen = " (private)" if published.is_private else ""
    offers = routes(published.addresses, interface=interface)
    lines = [f"  {name:<8}{url}" for name, url in offers.items()]
    return "\n".join([f"Published {published.repo_id}{seen}: {published.addresses.page}", *lines])


def proposal(proposed: "Published") -> str:
    """Say where the pull request is."""
    if proposed.pull_request is None:
        return f"{proposed.repo_id} holds these very files already, so there is nothing to propose"
    return f"Opened a pull request for {proposed.repo_id}: {proposed.pull_request}"


def _publish(
    contents: "SpaceContents",
    settings: "SpaceSettings",
    ids: Callable[..., Sequence[str]],
    *,
    create_pr: bool,
    interface: bool,
) -> None:
    from openenv.hub.publish import propose, publish  # as above

    hub, account = log_in(writing=not create_pr)
    for each in ids(user=account.name):
        output.note(f"Publishing {len(contents.files)} files as {each}")
        if create_pr:
            output.answer(proposal(propose(hub, contents, each)))
        else:
            output.answer(summary(publish(hub, contents, each, settings), interface=interface))


def _push_image(folder: Path, registry: str, *, base_image: str | None, interface: bool, dry_run: bool) -> None:
    from openenv.hub import image, read_manifest  # as above
    from openenv.hub.dockerfile import with_variable
    from openenv.hub.space import INTERFACE_VARIABLE

    source = image.find_dockerfile(folder)
    name = image.default_tag(read_manifest(folder).name)
    plan = image.BuildPlan(tag=f"{registry.rstrip('/')}/{name}", dockerfile=source)
    context = image.build_context(folder, source, base_image=base_image)
    text = context.replaced[source] if source in context.replaced else (folder / source).read_bytes()
    text = with_variable(text.decode(), INTERFACE_VARIABLE, str(interface).lower()).encode()
    context = replace(context, replaced={**context.replaced, source: text})
    if context.withheld:
        output.hint(f"not in the image, since they look like secrets: {', '.join(context.withheld)}")
    for note in context.notes:
        output.hint(note)
    if dry_run:
        output.answer("\n".join([f"Image: {plan.tag}", "", "Built from:", *(f"  {path}" for path in context.paths)]))
        return
    try:
        with output.progress(f"Building {plan.tag}") as on_line:
            image.build_image(context, plan, on_line)
        with output.progress(f"Pushing {plan.tag}") as on_line:
            image.push_image(plan.tag, on_line)
    except EngineFailed as error:
        error.logs = ""  # they are on the screen already
        raise
    output.answer(f"Pushed {plan.tag}")


def _folder(path: Path | None, directory: Path | None) -> Path:
    if path is not None and directory is not None and path.resolve() != directory.resolve():
        raise ConfigurationError(f"the folder is said to be {path} and, by --directory, {directory}; name one of them")
    return path or directory or Path()


def _patterns(files: Sequence[Path]) -> list[str]:
    lines: list[str] = []
    for file in files:
        try:
            lines += file.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"--exclude {file} cannot be read: {error}; name a file with a pattern in each line, such as *.csv"
            ) from error
    return lines


def _tell_flaws(folder: Path) -> None:
    """Say what `openenv validate` would find, as far as publishing does not mend it and no network is asked."""
    from openenv.hub.checks import CHECKS, Folder  # as above
    from openenv.hub.report import Status, run

    checks = [check for check in CHECKS if check.id in _TOLD]
    flaws = [result for result in run(checks, Folder(folder, lambda: None)) if result.status is Status.FAIL]
    for flaw in flaws:
        output.note(f"{flaw.id}: {'; '.join(flaw.outcome.evidence)}")
    if flaws:
        output.hint("the Space may not start as it is; `openenv validate` says more")
