"""`openenv.hub.frontmatter`: what a Space must say is said, and the rest is left as it was."""

import pytest
import yaml

from openenv.errors import ConfigurationError
from openenv.hub.frontmatter import front_matter, space_keys, with_front_matter

KEYS = space_keys(port=8000, interface=True)


def edited(readme: str) -> str:
    return with_front_matter(readme, KEYS, title="my_env")


@pytest.mark.parametrize("body", ["", "# Title\n\n---\nsdk: no\n---\n"])
def test_a_readme_without_front_matter_gets_one_in_front(body: str) -> None:
    readme = edited(body)
    assert readme.endswith(f"---\n\n{body}")
    assert yaml.safe_load(front_matter(readme).strip("-")) == {
        "title": "my_env", "sdk": "docker", "app_port": 8000, "base_path": "/web", "tags": ["openenv"],
    }  # fmt: skip


def test_what_is_right_already_is_not_touched() -> None:
    readme = (
        "---\ntitle: x  # mine\n\nsdk: 'docker'\napp_port: 8000\nbase_path: /web\ntags:\n  - a\n  - openenv\n---\nbody"
    )
    assert edited(readme) == readme


def test_comments_order_and_other_keys_stay() -> None:
    readme = (
        "---\n\n# why\ntitle: Ünï  # mine\nsdk: gradio  # was\nextra: {a: [1, 2]}\napp_port: 7860\ntags:\n- a\n---\nx\n"
    )
    assert edited(readme) == (
        "---\n\n# why\ntitle: Ünï  # mine\nsdk: docker  # was\nextra: {a: [1, 2]}\napp_port: 8000\n"
        "tags:\n- openenv\n- a\nbase_path: /web\n---\nx\n"
    )


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("tags:", "tags: [openenv]"),
        ("tags: ~", "tags: [openenv]"),
        ("tags: []", "tags: [openenv]"),
        ("tags: [a, b]", "tags: [openenv, a, b]"),
        ("tags: a", "tags: [openenv, a]"),
        ("tags: openenv", "tags: [openenv]"),
        ("tags:\n    - a", "tags:\n    - openenv\n    - a"),
        ("tags: [a, 'openenv']", "tags: [a, 'openenv']"),
    ],
)
def test_our_tag_joins_the_others_however_they_are_written(tags: str, expected: str) -> None:
    rest = "sdk: docker\napp_port: 8000\nbase_path: /web\n"
    assert edited(f"---\n{rest}{tags}\n---\n") == f"---\n{rest}{expected}\n---\n"


def test_line_ends_stay_and_missing_values_are_filled_in() -> None:
    readme = edited("---\r\nsdk:\r\napp_port: '8000'\r\n---\r\nbody\r\n")
    assert readme == (
        "---\r\nsdk: docker\r\napp_port: 8000\r\nbase_path: /web\r\ntags:\r\n  - openenv\r\n---\r\nbody\r\n"
    )


@pytest.mark.parametrize("readme", ["---\n---\nbody", "\n---\n# nothing\n---\nbody", "\ufeff---\n---"])
def test_an_empty_front_matter_is_filled(readme: str) -> None:
    assert yaml.safe_load(front_matter(edited(readme)).strip("-"))["sdk"] == "docker"
    assert edited(readme).startswith("---\n")


def test_a_value_over_several_lines_is_replaced_whole() -> None:
    assert "sdk: docker\nz: 1\n" in edited("---\nsdk: |\n  a\n  b\nz: 1\n---\n")


def test_without_the_page_no_path_leads_to_it_and_another_path_stays() -> None:
    keys = space_keys(port=9000, interface=False)
    without = with_front_matter("---\nbase_path: /web  # page\nsdk: docker\n---\n", keys, title="x")
    assert without == "---\nsdk: docker\napp_port: 9000\ntags:\n  - openenv\n---\n"
    assert "base_path: /docs\n" in with_front_matter("---\nbase_path: /docs\n---\n", keys, title="x")
    assert "base_path" not in with_front_matter("", keys, title="x")


@pytest.mark.parametrize(
    ("block", "complaint"),
    [
        ("title: [x\n", r"is not YAML \(line 3\): "),
        ("title: 2025-13-01\n", "is not YAML: month must be in"),
        ("- a\n", "must hold lines of keys and values"),
        ("{title: x}\n", "must hold lines of keys and values"),
        ("a: &x 1\napp_port: *x\n", "cannot be edited; write sdk: docker, app_port: 8000, base_path: /web and the tag"),
    ],
)
def test_what_cannot_be_edited_is_said_and_not_guessed(block: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=f"the front matter of README.md {complaint}"):
        edited(f"---\n{block}---\n")


@pytest.mark.parametrize("readme", ["", "# x\n---\na: 1\n---\n", "---\na: 1\n"])
def test_front_matter_is_at_the_head_or_nowhere(readme: str) -> None:
    assert front_matter(readme) == ""
