# Made by scripts/stubs; what happens is in openenv/compat.
from openenv.tools import GitServerClient as GitServerClient
from openenv.tools import PyExecutor as PyExecutor
from openenv.tools import RepoInfo as RepoInfo
