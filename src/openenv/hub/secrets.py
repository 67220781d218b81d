"""What looks like a secret, by a file's name or by its text. Decides nothing about where secrets may be.

Only kinds that nobody writes by accident are known, so that a finding is worth stopping for; what is found is named by
its kind and line, never quoted.
"""

import re
from fnmatch import fnmatchcase

__all__ = ["kind_of_name", "kinds_in"]

_NAMES = (
    ".env", ".env.*", "*.pem", "*.key", "*.p12", "*.pfx", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", ".netrc",
    ".pypirc", ".git-credentials", "credentials.json", "service-account*.json", "*.kdbx",
)  # fmt: skip
_HARMLESS = (".env.example", ".env.sample", ".env.template", "*.pub.pem")
_KINDS = {
    "a private key": re.compile(r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----"),
    "a Hugging Face token": re.compile(r"\bhf_[A-Za-z0-9]{30,}\b"),
    "a GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,})\b"),
    "an OpenAI or Anthropic key": re.compile(r"\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}\b"),
    "an AWS access key": re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a Google API key": re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b"),
    "a Slack token": re.compile(r"\bxox[abprs]-[0-9A-Za-z-]{20,}\b"),
}


def kind_of_name(path: str) -> str | None:
    """Say what a file of this name holds; None when its name says nothing."""
    name = path.rpartition("/")[2]
    if any(fnmatchcase(name, pattern) for pattern in _HARMLESS):
        return None
    return "a file of secrets by its name" if any(fnmatchcase(name, pattern) for pattern in _NAMES) else None


def kinds_in(text: str) -> list[tuple[int, str]]:
    """List what is in a text: the line, from 1, and the kind."""
    found = [
        (text.count("\n", 0, hit.start()) + 1, kind) for kind, form in _KINDS.items() for hit in form.finditer(text)
    ]
    return sorted(found)
