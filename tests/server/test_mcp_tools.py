"""`openenv.server.mcp_tools`: environments that answer no JSON-RPC of their own, as tools."""

import json
from typing import Any

import pytest
from pydantic import RootModel

from openenv import Action, Observation
from openenv.env import EncodedObservation, encode_observation
from openenv.env.mcp.types import CallToolAction, CallToolObservation, ListToolsAction, ListToolsObservation, Tool
from openenv.env.spec import spec_of
from openenv.errors import BadAction, EnvironmentFailed
from openenv.protocol import GetState, JsonRpc, Reset, StateIs, Step
from openenv.protocol.dialect1 import dump_json
from openenv.server.mcp_tools import Tools
from tests.server.smithy import rpc, tool
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation

ALL = frozenset({"reset", "step", "state"})
GOOD = Tool(name="add", description=None, input_schema={"type": "object"})


class Either(RootModel[ListToolsAction | CallToolAction]):
    """One of the two."""


class Own(CallToolAction):
    """An author's own."""


class Moved(Observation):
    """Neither a result nor an error."""

    where: str = "north"


class Recorder:
    """Stands for a session: keeps what is performed, and answers with what it is given."""

    def __init__(self, answer: Any, action_class: Any = EchoAction) -> None:
        self.performed: list[Any] = []
        self._answer = answer
        self.tools = Tools(spec_of(EchoEnvironment), action_class, "s1", self._perform)

    async def _perform(self, request: Step | Reset | GetState) -> Any:
        self.performed.append(request)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer

    async def ask(self, message: Any, offered: frozenset[str] | None = None) -> Any:
        answer = json.loads(dump_json(await self.tools.answer(JsonRpc(message, offered))))
        assert (answer["jsonrpc"], answer["id"]) == ("2.0", message.get("id"))
        return answer.get("result") or (answer["error"]["code"], answer["error"]["message"])


def encoded(observation: Observation) -> EncodedObservation:
    return encode_observation(observation, source="the test")


@pytest.mark.anyio
async def test_environment_is_offered_as_the_tools_that_its_caller_may_use() -> None:
    session = Recorder(None)
    listed = (await session.ask(rpc("tools/list"), ALL))["tools"]
    assert [each["name"] for each in listed] == ["reset", "step", "state"]
    reset, step, state = (each["inputSchema"] for each in listed)
    assert list(reset["properties"]) == ["seed", "episode_id"]
    assert (step["type"], step["required"]) == ("object", ["message"])
    assert state == {"type": "object", "properties": {}, "additionalProperties": False}
    assert [each["name"] for each in (await session.ask(rpc("tools/list"), frozenset({"step"})))["tools"]] == ["step"]
    assert await session.ask(rpc("tools/list"), frozenset()) == {"tools": []}
    assert session.performed == []


@pytest.mark.anyio
async def test_step_gives_what_it_observed_beside_its_reward() -> None:
    session = Recorder(encoded(EchoObservation(echoed_message="Hi", reward=0.5, metadata={"a": None}, truncated=True)))
    result = await session.ask(tool("step", message="Hi"), ALL)
    told = {
        "observation": {"metadata": {"a": None}, "echoed_message": "Hi", "message_length": 0},
        "reward": 0.5,
        "done": False,
        "metadata": {"a": None},
        "truncated": True,
    }
    assert session.performed == [Step({"message": "Hi"})]
    assert result["structured_content"] == result["data"] == json.loads(result["content"][0]["text"]) == told
    assert result["is_error"] is False


@pytest.mark.anyio
async def test_reset_and_state_are_asked_for_by_their_names() -> None:
    session = Recorder(encoded(EchoObservation()))
    assert (await session.ask(tool("reset", seed=3), ALL))["data"]["metadata"] is None
    state = Recorder(StateIs({"step_count": 2}))
    assert (await state.ask(tool("state"), ALL))["data"] == {"step_count": 2}
    assert session.performed + state.performed == [Reset({"seed": 3}), GetState()]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("message", "refusal"),
    [
        (tool("reset"), (-32602, "Unknown tool: 'reset'")),
        (tool("fly"), (-32602, "Unknown tool: 'fly'")),
        (rpc("tools/call"), (-32602, "Missing 'name' in params")),
        (rpc("tools/call", name=""), (-32602, "Missing 'name' in params")),
        (rpc("tools/call", name=["step"]), (-32602, "Missing 'name' in params")),
        (rpc("tools/call", name="step", arguments=[1]), (-32602, "'arguments' must be an object")),
        (rpc("resources/list"), (-32601, "Method not found: resources/list")),
    ],
)
async def test_what_is_not_offered_is_refused_before_anything_happens(message: Any, refusal: Any) -> None:
    session = Recorder(None)
    assert await session.ask(message, frozenset({"step"})) == refusal
    assert session.performed == []


@pytest.mark.anyio
async def test_message_that_is_no_request_is_refused() -> None:
    assert (await Recorder(None).tools.answer(JsonRpc({"method": "tools/list"}, ALL)))["error"]["code"] == -32600
    assert (await Recorder(None).tools.answer(JsonRpc({"method": "openenv/session/create"})))["error"]["code"] == -32600


@pytest.mark.anyio
async def test_environment_that_is_not_offered_has_no_mcp() -> None:
    assert await Recorder(None).ask(rpc("tools/list")) == (-32603, "Environment does not support MCP")


@pytest.mark.anyio
async def test_action_that_does_not_fit_is_a_result_for_the_agent_to_read() -> None:
    wrong = BadAction(
        "VALIDATION_ERROR", "Invalid message", {"errors": [{"loc": ["message"], "msg": "Field required"}]}
    )
    result = await Recorder(wrong).ask(tool("step"), ALL)
    assert result["is_error"] is True
    assert "message: Field required" in result["content"][0]["text"]


@pytest.mark.anyio
async def test_failure_of_the_environment_is_left_to_the_session() -> None:
    with pytest.raises(EnvironmentFailed):
        await Recorder(EnvironmentFailed("EXECUTION_ERROR", "no")).ask(tool("step"), ALL)


@pytest.mark.anyio
@pytest.mark.parametrize("action_class", [ListToolsAction, CallToolAction, Own, Action, Either])
async def test_tools_as_actions_are_listed_and_called_by_stepping(action_class: Any) -> None:
    listing = Recorder(encoded(ListToolsObservation(tools=[GOOD])), action_class)
    assert await listing.ask(rpc("tools/list")) == {
        "tools": [{"name": "add", "description": "", "inputSchema": {"type": "object"}}]
    }
    calling = Recorder(encoded(CallToolObservation(tool_name="add", result=7)), action_class)
    assert (await calling.ask(tool("add", a=3)))["structured_content"] == {"result": 7}
    call = Step({"type": "call_tool", "tool_name": "add", "arguments": {"a": 3}})
    assert listing.performed + calling.performed == [Step({"type": "list_tools"}), call]


@pytest.mark.anyio
async def test_result_that_is_one_of_mcp_already_is_passed_on() -> None:
    dump = {"content": [{"type": "text", "text": "7"}], "data": 7}
    session = Recorder(encoded(CallToolObservation(tool_name="add", result=dump)), CallToolAction)
    assert await session.ask(tool("add")) == dump


@pytest.mark.anyio
async def test_error_of_a_tool_is_an_error_with_its_sentence() -> None:
    failed: Any = {"error_type": "execution_error", "message": "too big"}
    session = Recorder(encoded(CallToolObservation(tool_name="add", error=failed)), CallToolAction)
    assert await session.ask(tool("add")) == (-32603, "too big")


@pytest.mark.anyio
async def test_observation_of_the_authors_own_is_the_result() -> None:
    session = Recorder(encoded(Moved(reward=1.0)), CallToolAction)
    assert (await session.ask(tool("go")))["data"]["observation"]["where"] == "north"


@pytest.mark.anyio
async def test_listing_without_tools_is_blamed_on_the_environment() -> None:
    session = Recorder(encoded(Moved()), CallToolAction)
    sentence = "EchoEnvironment.step answered ListToolsAction without a list of tools"
    assert await session.ask(rpc("tools/list")) == (-32603, sentence)


@pytest.mark.anyio
async def test_connection_asks_for_its_own_session_and_cannot_close_it() -> None:
    session = Recorder(None)
    assert await session.ask(rpc("openenv/session/create")) == {"session_id": "s1"}
    sentence = "Cannot close active WebSocket-managed session via MCP method"
    assert await session.ask(rpc("openenv/session/close", session_id="s1")) == (-32600, sentence)
    assert await session.ask(rpc("openenv/session/close", session_id="s2")) == (-32602, "Unknown session_id: s2")
