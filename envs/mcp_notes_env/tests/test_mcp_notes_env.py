"""Tests of the environment, straight on the object: no server, no network.

Run `pytest` in the environment's folder.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from openenv.env.mcp import ListToolsAction
from openenv.testing import check_environment

from mcp_notes_env import CallToolAction, CallToolObservation, McpNotesTask
from mcp_notes_env.models import Level
from mcp_notes_env.server import McpNotesEnvironment
from mcp_notes_env.server.tasks import LEVELS, generate, solve

SEEDS = range(12)


@pytest.fixture
def environment() -> Iterator[McpNotesEnvironment]:
    environment = McpNotesEnvironment()
    yield environment
    environment.close()


def call(environment: McpNotesEnvironment, tool: str, /, **arguments: Any) -> CallToolObservation:
    observation: CallToolObservation = environment.step(CallToolAction(tool_name=tool, arguments=arguments))
    return observation


def carry_out(environment: McpNotesEnvironment, calls: list[tuple[str, dict[str, Any]]]) -> CallToolObservation:
    for tool, arguments in calls:
        observation = call(environment, tool, **arguments)
        assert observation.error is None
    return observation


def test_it_keeps_the_rules_of_environments() -> None:
    tools: list[dict[str, Any]] = [
        {"tool_name": "search_notes", "arguments": {"text": "garden"}},
        {"tool_name": "add_note", "arguments": {"title": "New", "tags": ["mine"]}},
        {"tool_name": "get_note", "arguments": {"note_id": 10_000}},
        {"tool_name": "no_such_tool"},
    ]
    check_environment(
        McpNotesEnvironment,
        CallToolAction,
        observation_class=CallToolObservation,
        reset_observation_class=McpNotesTask,
        actions=tools,
    )


@pytest.mark.parametrize("level", LEVELS)
def test_the_solution_earns_everything_and_doing_nothing_earns_nothing(
    environment: McpNotesEnvironment, level: Level
) -> None:
    for seed in SEEDS:
        task, first = generate(level, seed), environment.reset(seed=seed, level=level)
        *calls, submission = solve(task)
        assert (first.prompt, first.step_limit) == (task.prompt, task.step_limit)
        assert len(calls) * 2 < task.step_limit, "there is room to look around"
        if calls:
            halfway = carry_out(environment, calls)
            assert (halfway.done, halfway.reward, halfway.metadata) == (False, 0.0, {})
        last = carry_out(environment, [submission])
        assert (last.reward, last.done, last.truncated) == (1.0, True, False), (seed, last.metadata, task.prompt)
        assert set(last.metadata["reward_components"].values()) == {1.0}
        environment.reset(seed=seed, level=level)
        assert call(environment, "submit_answer").reward == 0.0


def test_the_same_seed_is_the_same_and_another_is_another() -> None:
    assert generate("hard", 1) == generate("hard", 1) != generate("hard", 2)
    assert generate("medium", 1).before != generate("hard", 1).before


def test_a_part_of_the_work_earns_a_part(environment: McpNotesEnvironment) -> None:
    task = generate("hard", 3)
    environment.reset(seed=3, level="hard")
    deletions = [(tool, arguments) for tool, arguments in solve(task) if tool == "delete_note"]
    carry_out(environment, deletions)
    last = call(environment, "submit_answer", answer=f" {task.answer}\n")
    share = len(deletions) / sum(task.before[number] != task.after.get(number) for number in task.before)
    assert 0 < share < 1
    assert last.metadata == {"reward_components": {"kept": 1.0, "changes": share, "answer": 1.0}}
    assert last.reward == pytest.approx((share + 1) / 2)


@pytest.mark.parametrize("harm", ["delete_note", "tag_note", "add_note"])
def test_harm_to_other_notes_costs_everything(environment: McpNotesEnvironment, harm: str) -> None:
    task = generate("medium", 2)
    environment.reset(seed=2, level="medium")
    kept = next(number for number in task.before if task.before[number] == task.after.get(number))
    given: dict[str, dict[str, Any]] = {"add_note": {"title": "scratch"}, "tag_note": {"note_id": kept, "add": ["x"]}}
    carry_out(environment, [(harm, given.get(harm, {"note_id": kept}))])
    last = carry_out(environment, solve(task))
    assert (last.reward, last.metadata["reward_components"]["kept"]) == (0.0, 0.0)


def test_what_is_put_back_was_no_harm(environment: McpNotesEnvironment) -> None:
    task = generate("easy", 0)
    environment.reset(seed=0)
    made = call(environment, "add_note", title="scratch").result.data["id"]
    carry_out(environment, [("delete_note", {"note_id": made}), ("tag_note", {"note_id": 1, "add": ["x"]})])
    carry_out(environment, [("tag_note", {"note_id": 1, "remove": ["x"]})])
    assert carry_out(environment, solve(task)).reward == 1.0


def test_steps_run_out_after_the_last_one_is_carried_out(environment: McpNotesEnvironment) -> None:
    limit = environment.reset(seed=1).step_limit
    for _ in range(limit - 1):
        assert not call(environment, "no_such_tool").done, "what fails counts"
    environment.step(ListToolsAction())  # which does not
    last = call(environment, "add_note", title="the last")
    assert (last.error, last.done, last.truncated, last.reward) == (None, True, True, 0.0)
    after = call(environment, "list_tags")
    assert after.error is not None
    assert "the episode is over" in after.error.message
    assert (after.done, after.truncated, after.reward, environment.state.step_count) == (True, True, 0.0, limit)


def test_the_reward_is_given_once(environment: McpNotesEnvironment) -> None:
    environment.reset(seed=5)
    assert carry_out(environment, solve(generate("easy", 5))).reward == 1.0
    again = call(environment, "submit_answer", answer="more")
    assert (again.reward, again.done, again.truncated) == (0.0, True, False)
    assert environment.state.score == 1.0


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("add_note", {"title": "x" * 201}),
        ("add_note", {"title": ""}),
        ("add_note", {"title": "x", "body": "x" * 4001}),
        ("add_note", {"title": "x", "tags": ["x"] * 17}),
        ("add_note", {"title": "x", "tags": ["x y"]}),
        ("add_note", {"title": "\ud800"}),
        ("get_note", {"note_id": 2**63}),
        ("get_note", {"note_id": 0}),
        ("get_note", {"note_id": "1 OR 1=1"}),
        ("search_notes", {"text": "x" * 201}),
        ("search_notes", {"limit": 51}),
        ("search_notes", {"since": "last May"}),
        ("search_notes", {"tag": "' OR 1=1 --"}),
        ("edit_note", {"note_id": 1, "version": -1}),
        ("submit_answer", {"answer": "x" * 201}),
    ],
    ids=lambda given: str(given)[:40],
)
def test_sizes_and_shapes_that_do_not_fit_are_refused(
    environment: McpNotesEnvironment, tool: str, arguments: dict[str, Any]
) -> None:
    environment.reset(seed=1)
    before = environment.state.notes
    error = call(environment, tool, **arguments).error
    assert error is not None
    assert error.error_type == "invalid_args"
    assert (environment.state.notes, environment.state.answer) == (before, None)


def test_before_the_first_reset_there_is_an_empty_notebook(environment: McpNotesEnvironment) -> None:
    assert call(environment, "search_notes").result.data == []
    assert call(environment, "add_note", title="mine").result.data["id"] == 1
    error = call(environment, "submit_answer").error
    assert error is not None
    assert "nothing was asked for yet" in error.message
    assert environment.state.score is None
    assert "Nothing is asked for yet." in environment.render_web(call(environment, "list_tags"))


def test_an_episode_can_be_saved_and_goes_on_as_it_would_have(environment: McpNotesEnvironment) -> None:
    environment.reset(seed=7, level="hard", episode_id="mine")
    *calls, submission = solve(generate("hard", 7))
    carry_out(environment, calls[:3])
    other = McpNotesEnvironment()
    other.restore(environment.snapshot())
    assert other.state == environment.state
    rest = [*calls[3:], submission]
    assert carry_out(other, rest) == carry_out(environment, rest)
    assert (other.state.score, other.state.episode_id) == (1.0, "mine")
    other.close()


def test_the_page_shows_text_as_text(environment: McpNotesEnvironment) -> None:
    first = environment.reset(seed=1)
    assert environment.web_actions(first)
    shown = environment.render_web(first)
    assert shown.count("<li>") == len(generate("easy", 1).before)
    added = call(environment, "add_note", title="<script>alert(1)</script>", body="<b>")
    html = environment.render_web(added)
    assert "<script" not in html
    assert "<li class='changed'><b>&lt;script&gt;" in html
    failed = environment.render_web(call(environment, "get_note", note_id=999))
    assert "there is no note 999" in failed
    assert environment.web_actions(call(environment, "submit_answer")) == []


def test_a_level_that_is_not_there_is_refused(environment: McpNotesEnvironment) -> None:
    with pytest.raises(ValueError, match="there is no level 'mean'; there are easy, medium, hard"):
        environment.reset(level="mean")  # type: ignore[arg-type]
