"""mcp_notes_env over a live server: by its own client, by FastMCP's, and in production mode."""

import httpx
import pytest
from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport
from mcp_notes_env import CallToolAction, CallToolObservation, McpNotesEnv, McpNotesState, McpNotesTask, Note
from mcp_notes_env.server import McpNotesEnvironment
from mcp_notes_env.server.tasks import LEVELS, generate, solve

from openenv import create_app
from openenv.client import ToolFailed
from openenv.errors import BadAction, EnvironmentFailed
from tests.support.serving import serving

ENVIRONMENT = "mcp_notes_env"
AGENT_TOOLS = ["search_notes", "get_note", "add_note", "edit_note", "tag_note", "delete_note", "list_tags"]


@pytest.mark.parametrize("level", LEVELS)
def test_requests_are_fulfilled_by_steps(level: str, url: str) -> None:
    with McpNotesEnv(url) as env:
        for seed in range(3):
            task = generate(level, seed)
            first = env.reset(seed=seed, level=level)  # type: ignore[arg-type]  # a str, which is one of them
            assert (first.observation.prompt, first.reward, first.done) == (task.prompt, 0.0, False)
            for tool, arguments in solve(task):
                result = env.step(CallToolAction(tool_name=tool, arguments=arguments))
            assert isinstance(result.observation, CallToolObservation)
            assert (result.reward, result.done, result.truncated) == (1.0, True, False)
            assert result.metadata is not None
            assert result.metadata["reward_components"]["kept"] == 1.0


def test_tools_are_called_one_by_one_and_sessions_do_not_see_each_other(url: str) -> None:
    with McpNotesEnv(url) as one, McpNotesEnv(url) as other:
        one.reset(seed=1)
        other.reset(seed=1)
        assert [tool.name for tool in one.list_tools()] == [*AGENT_TOOLS, "submit_answer"]
        made = Note.model_validate(one.call_tool("add_note", title="Übermorgen", body="'; DROP TABLE notes; --"))
        assert one.call_tool("edit_note", note_id=made.id, version=made.version, body="again")["version"] == 2
        with pytest.raises(ToolFailed, match="has version 2, not 1") as caught:
            one.call_tool("edit_note", note_id=made.id, version=made.version, body="lost")
        assert caught.value.error_type == "execution_error"
        with pytest.raises(ToolFailed, match="no note"):
            other.call_tool("get_note", note_id=made.id)
        assert [note["id"] for note in one.call_tool("search_notes", text="überm again")] == [made.id]
        state = one.state()
        assert isinstance(state, McpNotesState)
        assert (state.step_count, state.notes, state.score) == (4, made.id, None)
        with pytest.raises((BadAction, EnvironmentFailed), match="mean"):
            one.reset(level="mean")  # type: ignore[arg-type]


def test_a_step_at_the_limit_is_the_last(url: str) -> None:
    with McpNotesEnv(url) as env:
        limit = env.reset(seed=2).observation.step_limit
        for _ in range(limit - 1):
            env.call_tool("list_tags")
        result = env.step(CallToolAction(tool_name="list_tags"))
        assert (result.done, result.truncated, result.reward) == (True, True, 0.0)
        with pytest.raises(ToolFailed, match="the episode is over"):
            env.call_tool("list_tags")


@pytest.mark.anyio
async def test_client_awaited(url: str) -> None:
    async with McpNotesEnv(url) as env:
        first = await env.reset(seed=4, level="medium")
        assert isinstance(first.observation, McpNotesTask)
        assert first.observation.step_limit == LEVELS["medium"].steps
        *calls, (last, answer) = solve(generate("medium", 4))
        for tool, arguments in calls:
            await env.call_tool(tool, **arguments)
        (branch,) = await env.fork(1)
        assert (await env.step(CallToolAction(tool_name=last, arguments=answer))).reward == 1.0
        await branch.call_tool("add_note", title="stray")
        assert (await branch.step(CallToolAction(tool_name=last, arguments=answer))).reward == 0.0
        assert (await env.state()).model_dump()["score"] == 1.0


@pytest.mark.anyio
async def test_an_agent_works_over_mcp_and_the_trainer_has_the_reward(url: str) -> None:
    async with httpx.AsyncClient(base_url=url, trust_env=False) as trainer:
        began = await trainer.post("/reset", json={"seed": 6, "level": "hard"}, headers={"X-Session-Id": "new"})
        session = {"X-Session-Id": began.headers["X-Session-Id"]}
        async with Client(StreamableHttpTransport(f"{url}/mcp", headers=session)) as agent:
            assert [tool.name for tool in await agent.list_tools()] == [*AGENT_TOOLS, "submit_answer"]
            assert (await agent.call_tool("get_note", {"note_id": "1 OR 1=1"}, raise_on_error=False)).is_error
            for tool, arguments in solve(generate("hard", 6)):
                await agent.call_tool(tool, arguments)
        state = (await trainer.get("/state", headers=session)).json()
        assert (state["score"], state["is_rewarded"]) == (1.0, False)
        step = {"action": {"type": "call_tool", "tool_name": "list_tags"}}
        for reward in (1.0, 0.0):
            answer = (await trainer.post("/step", json=step, headers=session)).json()
            assert (answer["reward"], answer["done"]) == (reward, True)
        await trainer.delete("/session", headers=session)


@pytest.mark.anyio
async def test_in_production_there_is_a_notebook_and_no_episode() -> None:
    app = create_app(McpNotesEnvironment, CallToolAction, CallToolObservation, mode="production")
    with serving(app, log_config=None) as production:
        async with Client(f"{production}/mcp") as client:
            assert [tool.name for tool in await client.list_tools()] == AGENT_TOOLS
            for number in range(1, LEVELS["easy"].steps * 2):
                made = await client.call_tool("add_note", {"title": "mine"})
                assert made.structured_content is not None
                assert made.structured_content["id"] == number
