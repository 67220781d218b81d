"""Where the `openenv` command starts, and `python -m openenv.cli`."""

from openenv.cli.app import app

__all__ = ["app", "main"]


def main() -> None:
    """Run the command line and exit with its code."""
    app(prog_name="openenv")


if __name__ == "__main__":
    main()
