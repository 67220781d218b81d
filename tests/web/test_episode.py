"""`episode.js`: the record of an episode, and its file."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.slow

_HEAD = '{"format": "openenv.episode", "version": 1}'
_RECORDS: list[dict[str, Any]] = [
    {
        "kind": "reset",
        "request": {"seed": 1},
        "observation": {"a": [1]},
        "reward": None,
        "state": {"n": 0},
        "at": "2026-01-31",
    },
    {"kind": "step", "request": {"message": "\ud800\u2028"}, "observation": {}, "reward": 0.5, "latencyMs": 1.25},
    {"kind": "step", "request": {}, "error": {"code": "EXECUTION_ERROR", "message": "no"}},
    {"kind": "tool", "request": {"name": "add", "arguments": {}}, "observation": 3},
    {"kind": "step", "request": {}, "reward": True, "done": True, "truncated": True, "metadata": {"x": 1}},
]


def run(page: Page, body: str, given: Any = None) -> Any:
    """Run code with the module's exports and the argument, `given`, which travels as JSON."""
    names = "{ createEpisode, append, toJsonl, fromJsonl, codeSteps }"
    script = f"""async (text) => {{
        const {names} = await import("/static/episode.js");
        const given = JSON.parse(text);
        const filled = (records, about) => {{
            const episode = createEpisode(about);
            records.forEach((record) => append(episode, record));
            return episode;
        }};
        {body}
    }}"""
    return page.evaluate(script, json.dumps(given))


def test_record_is_numbered_and_complete(bare: Page) -> None:
    found = run(bare, "return filled(given).records", [{"kind": "reset"}, {"kind": "step", "index": 7}])
    assert [record["index"] for record in found] == [0, 1]
    assert found[0] == {
        "index": 0, "kind": "reset", "request": {}, "observation": None, "reward": None, "done": False,
        "truncated": False, "metadata": None, "state": None, "latencyMs": None, "error": None, "at": None,
    }  # fmt: skip


def test_file_is_one_json_object_a_line_with_a_head(bare: Page) -> None:
    text = run(bare, "return toJsonl(filled(given, {environment: 'echo'}))", _RECORDS)
    head, *lines = map(json.loads, text.rstrip("\n").split("\n"))
    assert head == {"environment": "echo", "format": "openenv.episode", "version": 1}
    assert [line["kind"] for line in lines] == [record["kind"] for record in _RECORDS]
    assert lines[1]["latency_ms"] == 1.25
    assert lines[1]["request"] == {"message": "\ud800\u2028"}
    assert list(lines[0]) == [
        "index", "kind", "request", "observation", "reward", "done", "truncated", "metadata", "state", "latency_ms",
        "error", "at",
    ]  # fmt: skip


def test_exported_episode_is_read_as_it_was(bare: Page) -> None:
    body = """const one = filled(given, { url: "x" });
        return [one, fromJsonl(toJsonl(one))].map((each) => JSON.stringify(each))"""
    before, after = run(bare, body, _RECORDS)
    assert json.loads(before) == json.loads(after)


def test_long_integers_keep_their_digits(bare: Page) -> None:
    line = '{"kind": "step", "request": {"n": 123456789012345678901}}'
    text = run(bare, "return toJsonl(fromJsonl(given))", f"{_HEAD}\n{line}\n")
    assert '{"n":123456789012345678901}' in text


def test_hostile_keys_are_keys(bare: Page) -> None:
    line = '{"kind": "step", "request": {"__proto__": {"owned": 1}, "constructor": 2}, "__proto__": {"done": true}}'
    found = run(bare, "return [toJsonl(fromJsonl(given)), {}.owned ?? null]", f"{_HEAD}\n{line}\n")
    assert '"request":{"__proto__":{"owned":1},"constructor":2}' in found[0]
    assert '"done":false' in found[0]
    assert found[1] is None


def test_file_from_elsewhere_may_have_a_mark_other_line_ends_blank_lines_and_few_columns(bare: Page) -> None:
    text = f'\ufeff{_HEAD}\r\n\r\n{{"kind": "reset"}}\r\n{{"kind": "step", "request": {{"a": 1}}, "later": 1}}'
    assert run(bare, "return fromJsonl(given).records.map(({kind}) => kind)", text) == ["reset", "step"]


BAD: list[tuple[str, str]] = [
    ("", "The file is empty"),
    ("\n\n", "The file is empty"),
    ("hello", "Line 1 is not JSON: "),
    ("[1]", "Line 1 is not a JSON object."),
    ('{"kind": "reset"}', 'Line 1 does not say "format": "openenv.episode"; this is no exported episode.'),
    (
        '{"format": "openenv.episode", "version": 2}',
        "Line 1: this is version 2 of the format; version 1 can be read here.",
    ),
    (f"{_HEAD}\n\n{{", "Line 3 is not JSON: "),
    (f"{_HEAD}\nnull", "Line 2 is not a JSON object."),
    (f"{_HEAD}\n{{}}", 'Line 2: "kind" is missing; it should be one of reset, step, state, tool.'),
    (f'{_HEAD}\n{{"kind": "jump"}}', 'Line 2: "kind" is "jump"; it should be one of'),
    (f'{_HEAD}\n{{"kind": "step", "request": 3}}', 'Line 2: "request" is 3; it should be an object.'),
    (f'{_HEAD}\n{{"kind": "step", "reward": "1"}}', 'Line 2: "reward" is "1"; it should be a number or null.'),
    (f'{_HEAD}\n{{"kind": "step", "done": 1}}', 'Line 2: "done" is 1; it should be true or false.'),
    (
        f'{_HEAD}\n{{"kind": "step", "index": 4}}',
        'Line 2: "index" is 4 where 0 should follow; lines are missing or moved.',
    ),
]


@pytest.mark.parametrize(("text", "message"), BAD)
def test_file_in_error_is_refused_in_a_sentence_that_names_the_line(bare: Page, text: str, message: str) -> None:
    said = run(
        bare, "try { fromJsonl(given); return 'read' } catch (error) { return `${error.name}: ${error.message}` }", text
    )
    assert re.match(re.escape(f"SyntaxError: {message}"), said), said


def test_code_is_made_of_what_the_server_carried_out(bare: Page) -> None:
    found = run(bare, "return codeSteps(filled(given)).map(({kind}) => kind)", _RECORDS)
    assert found == ["reset", "step", "step"]


def test_ten_thousand_steps_are_written_and_read_at_once(bare: Page) -> None:
    body = """const one = createEpisode();
        for (let index = 0; index < 10000; index += 1) append(one, { kind: "step", observation: { index } });
        return fromJsonl(toJsonl(one)).records.length"""
    assert run(bare, body) == 10_000
