"""What a test of an environment, a codec or a client can use; ours do too."""

from openenv.testing.pair import Pair

__all__ = ["Pair"]
