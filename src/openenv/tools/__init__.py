"""Tools that environments hand to agents: Python, interpreted with few imports, and repositories on a git server."""

from openenv.tools.git_server_client import GitFailed, GitServerClient, RepoInfo
from openenv.tools.local_python_executor import CodeExecResult, PyExecutor

__all__ = ["CodeExecResult", "GitFailed", "GitServerClient", "PyExecutor", "RepoInfo"]
