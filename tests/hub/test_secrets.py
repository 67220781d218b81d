"""Secrets are known by name or by form, and what only resembles one is let pass."""

import pytest

from openenv.hub.secrets import kind_of_name, kinds_in


@pytest.mark.parametrize("path", [".env", "a/.env.local", "tls/server.key", "id_rsa", ".netrc", "credentials.json"])
def test_names_of_secret_files_are_known(path: str) -> None:
    assert kind_of_name(path)


@pytest.mark.parametrize("path", ["README.md", ".env.example", "keys.py", "a.key/readme.txt", "environment.py"])
def test_other_names_are_not(path: str) -> None:
    assert kind_of_name(path) is None


# Put together here, so that no scanner takes this file for one with secrets in it.
SECRETS = {
    "a private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
    "a Hugging Face token": "hf_" + "a" * 34,
    "a GitHub token": "ghp_" + "a" * 36,
    "an OpenAI or Anthropic key": "sk-ant-" + "a" * 40,
    "an AWS access key": "AKIA" + "A" * 16,
    "a Google API key": "AIza" + "a" * 35,
    "a Slack token": "xoxb-" + "1" * 24,
}


@pytest.mark.parametrize("kind", SECRETS)
def test_a_secret_is_told_by_line_and_kind(kind: str) -> None:
    assert kinds_in(f"one\ntoken = '{SECRETS[kind]}'\n") == [(2, kind)]


@pytest.mark.parametrize(
    "text", ["", "hf_token", "sk-learn", "AKIA", "xoxb-", "BEGIN PUBLIC KEY", "ask-me-anything" * 9]
)
def test_what_only_resembles_one_is_let_pass(text: str) -> None:
    assert kinds_in(text) == []
