"""The front matter of a README, from which the Hub learns how to run a Space. Text in, text out.

Decides what a Space of an environment must say there. Everything else in it, with its comments and its order, is the
author's and stays as it was.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import yaml

from openenv.errors import ConfigurationError

__all__ = ["TAG", "WEB_PATH", "front_matter", "space_keys", "with_front_matter"]

TAG = "openenv"
WEB_PATH = "/web"

# As the Hub finds it: a block between two lines of three dashes, at the head of the file.
_BLOCK = re.compile(
    r"\A(?P<open>\ufeff?\s*---[ \t]*(?:\r\n|\n))(?P<yaml>[\s\S]*?)(?P<close>^---[ \t]*(?:\r\n|\n|\Z))", re.M
)


@dataclass(frozen=True)
class _Edit:
    start: int
    end: int
    text: str


def space_keys(*, port: int, interface: bool) -> dict[str, Any]:
    """Say what the front matter of a Space must hold; None for a key that it must not have."""
    return {"sdk": "docker", "app_port": port, "base_path": WEB_PATH if interface else None}


def front_matter(readme: str) -> str:
    """Give the block with its dashes; empty when there is none."""
    found = _BLOCK.match(readme)
    return readme[found.start("open") : found.end()].lstrip("\ufeff").strip() if found else ""


def with_front_matter(readme: str, keys: Mapping[str, Any], *, title: str) -> str:
    """Set the keys at the top level of the front matter, and see that `tags` has ours.

    Args:
        readme: The whole file; may be empty.
        keys: What to set. A key whose value is None is not set; if it points to the page, which is then not there, its
            line is taken out.
        title: What a front matter that has to be made is given as title.

    Raises:
        ConfigurationError: What is there is not YAML of keys and values.
    """
    found = _BLOCK.match(readme)
    if found is None:
        lines = [
            f"title: {_scalar(title)}",
            *(f"{key}: {_scalar(value)}" for key, value in keys.items() if value is not None),
        ]
        return "\n".join(["---", *lines, "tags:", f"  - {TAG}", "---", "", readme.lstrip("\ufeff")])
    newline = "\r\n" if found["open"].endswith("\r\n") else "\n"
    block = _edited(found["yaml"], keys, newline)
    _check(found["yaml"], block, keys)
    return readme[: found.start("yaml")].lstrip("\ufeff").lstrip() + block + readme[found.start("close") :]


def _edited(text: str, keys: Mapping[str, Any], newline: str) -> str:
    top = _top(text)
    edits: list[_Edit] = []
    added: list[str] = []
    for key, value in keys.items():
        node = top.get(key)
        if value is None:
            if node is not None and isinstance(node[1], yaml.ScalarNode) and node[1].value == WEB_PATH:
                edits.append(_without_line(text, node[0]))
        elif node is None:
            added.append(f"{key}: {_scalar(value)}")
        elif _says(node[1]) != value:
            edits.append(_replaced(text, *node, _scalar(value)))
    tags, more = _with_tag(text, top.get("tags"), newline)
    text = _applied(text, [*edits, *tags])
    added += more
    if added and text and not text.endswith("\n"):
        text += newline
    return text + "".join(f"{line}{newline}" for line in added)


def _check(before: str, after: str, keys: Mapping[str, Any]) -> None:
    """Make sure that the edits say what was meant, which an anchor or two keys of one name can prevent."""
    wanted = {key: value for key, value in keys.items() if value is not None}
    with suppress(yaml.YAMLError, TypeError):
        was, now = yaml.safe_load(before) or {}, yaml.safe_load(after)
        rest = {key: value for key, value in was.items() if key not in keys and key != "tags"}
        if now == now | rest | wanted and TAG in now["tags"]:
            return
    said = ", ".join(f"{key}: {value}" for key, value in wanted.items())
    raise ConfigurationError(f"the front matter of README.md cannot be edited; write {said} and the tag {TAG} there")


def _top(text: str) -> dict[str, tuple[yaml.Node, yaml.Node]]:
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 2})" if mark else ""
        said = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise ConfigurationError(f"the front matter of README.md is not YAML{where}: {said}") from error
    if root is None:
        return {}
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        raise ConfigurationError(
            "the front matter of README.md must hold lines of keys and values, such as `sdk: docker`"
        )
    return {key.value: (key, value) for key, value in root.value}


def _with_tag(text: str, tags: tuple[yaml.Node, yaml.Node] | None, newline: str) -> tuple[list[_Edit], list[str]]:
    if tags is None:
        return [], ["tags:", f"  - {TAG}"]
    key, value = tags
    if isinstance(value, yaml.SequenceNode):
        if any(isinstance(item, yaml.ScalarNode) and item.value == TAG for item in value.value):
            return [], []
        if not value.flow_style and value.value:
            first = value.value[0].start_mark.index
            lead = text[text.rfind("\n", 0, first) + 1 : first]  # the indent and the dash of its first item
            at = text.rfind("\n", 0, first) + 1
            return [_Edit(at, at, f"{lead}{TAG}{newline}")], []
        inner = text[value.start_mark.index + 1 : value.end_mark.index - 1]
        return [
            _Edit(value.start_mark.index, value.end_mark.index, f"[{TAG}, {inner}]" if inner.strip() else f"[{TAG}]")
        ], []
    if isinstance(value, yaml.ScalarNode) and value.tag.endswith(":str"):
        listed = TAG if value.value == TAG else f"{TAG}, {value.value}"
        return [_replaced(text, key, value, f"[{listed}]")], []
    return [_replaced(text, key, value, f"[{TAG}]")], []


def _replaced(text: str, key: yaml.Node, value: yaml.Node, said: str) -> _Edit:
    if value.start_mark.index == value.end_mark.index:  # nothing stands there, not even a space for it
        colon = text.index(":", key.end_mark.index) + 1
        return _Edit(colon, colon, f" {said}")
    end = value.end_mark.index
    kept = text[value.start_mark.index : end]
    return _Edit(value.start_mark.index, end - (len(kept) - len(kept.rstrip())), said)


def _without_line(text: str, key: yaml.Node) -> _Edit:
    start = text.rfind("\n", 0, key.start_mark.index) + 1
    end = text.find("\n", key.start_mark.index) + 1 or len(text)
    return _Edit(start, end, "")


def _applied(text: str, edits: list[_Edit]) -> str:
    for edit in sorted(edits, key=lambda each: each.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def _says(node: yaml.Node) -> Any:
    """Give the value of a scalar; anything else says nothing that we could want."""
    return yaml.SafeLoader("").construct_object(node) if isinstance(node, yaml.ScalarNode) else None


def _scalar(value: str | int) -> str:
    return yaml.safe_dump(value, allow_unicode=True, width=10_000).partition("\n")[0]
