"""A new environment: its names, its files, and the folder they go into. `create` does it all."""

from openenv.scaffold.create import Created, create
from openenv.scaffold.names import Names

__all__ = ["Created", "Names", "create"]
