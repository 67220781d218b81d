"""What a test of an environment, a codec or a client can use; ours do too."""

from openenv.testing.compliance import check_environment, check_folder, check_image, check_server
from openenv.testing.link_pair import LinkPair
from openenv.testing.pair import Pair

__all__ = ["LinkPair", "Pair", "check_environment", "check_folder", "check_image", "check_server"]
