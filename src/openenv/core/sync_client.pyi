# Made by scripts/stubs; what happens is in openenv/compat.
from openenv.client import SyncEnvClient as SyncEnvClient
