"""`openenv prune`: takes away containers whose owner is gone."""

from openenv.cli import output

__all__ = ["prune"]


def prune() -> None:
    """Remove the containers whose process has ended without removing them."""
    from openenv.runtimes import containers  # not needed to print help

    removed = containers.prune()
    if removed:
        output.answer("\n".join(one.name for one in removed))
    else:
        output.note("There is nothing to prune.")
