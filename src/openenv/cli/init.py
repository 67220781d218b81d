"""`openenv init`: what it is asked, and what it says when it is done. The making is the scaffold's."""

import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from openenv.cli import output
from openenv.scaffold import Created, create

__all__ = ["init", "next_steps", "tree"]


def init(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it: my_env, my-env or MyEnv.")],
    output_dir: Annotated[
        Path, typer.Option("--output-dir", "-o", metavar="DIR", help="The folder to put it into, made if missing.")
    ] = Path(),
) -> None:
    """Create a new environment, ready to be served."""
    created = create(name, output_dir)
    where = os.path.relpath(created.folder)
    output.answer(f"Created {where}\n\n{tree(created)}\n\n{next_steps(created, where)}")
    if created.lock_problem:
        output.note(f"\nuv.lock was not made: {created.lock_problem}")
        output.hint(f"run `uv lock` in {where} once uv and a package index can be reached")


def tree(created: Created) -> str:
    """Draw the folder with everything in it."""
    return "\n".join([f"{created.folder.name}/", *_branches(created.files)])


def next_steps(created: Created, where: str) -> str:
    """Say what to type next, in the shell and in Python."""
    names = created.names
    return f"""\
Next:

  cd {shlex.quote(where)}
  {" ".join(created.dependency.pip_install)}
  openenv serve

Then, in another terminal, in Python:

  from {names.package} import {names.class_prefix}Action, {names.class_prefix}Env

  with {names.class_prefix}Env(base_url="http://localhost:8000") as env:
      env.reset()
      result = env.step({names.class_prefix}Action(message="Hello, World!"))
      print(result.observation.echoed_message, result.reward)"""


def _branches(paths: Iterable[str], indent: str = "  ") -> list[str]:
    """List files and folders by name, what is in a folder under it and further in."""
    folders: dict[str, list[str]] = {}
    for path in paths:
        first, _, rest = path.partition("/")
        folders.setdefault(first, []).extend([rest] if rest else [])
    lines = []
    for name, below in sorted(folders.items()):
        lines.append(f"{indent}{name}/" if below else indent + name)
        lines.extend(_branches(below, indent + "  "))
    return lines
