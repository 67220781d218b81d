"""The two modes that a server can be in, and how their names are read."""

import enum

from openenv.errors import ConfigurationError

__all__ = ["ServerMode"]


class ServerMode(enum.StrEnum):
    """What a server lets its callers do."""

    SIMULATION = "simulation"
    """Everything: episodes are reset and stepped, and the environment's tools can be called."""
    PRODUCTION = "production"
    """The environment's tools can be called, and nothing else."""

    @classmethod
    def read(cls, given: str) -> "ServerMode":
        """Read a mode's name, in upper or lower case.

        Raises:
            ConfigurationError: There is no such mode.
        """
        try:
            return cls(given.strip().lower())
        except ValueError:
            names = " or ".join(repr(mode.value) for mode in cls)
            raise ConfigurationError(f"Invalid mode: {given!r}; it must be {names}") from None
