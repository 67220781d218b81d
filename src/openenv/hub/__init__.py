"""What an environment package says about itself, and where it is published."""

from openenv.hub.manifest import Manifest, read_manifest

__all__ = ["Manifest", "read_manifest"]
