"""The `openenv` command: one module a command, `app` puts them together, `output` alone prints."""
