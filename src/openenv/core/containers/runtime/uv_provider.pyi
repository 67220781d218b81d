# Made by scripts/stubs; what happens is in openenv/compat.
from openenv.runtimes.providers import RuntimeProvider as RuntimeProvider
from openenv.runtimes.providers import UVProvider as UVProvider
