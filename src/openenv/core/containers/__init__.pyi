# Made by scripts/stubs; what happens is in openenv/compat.
