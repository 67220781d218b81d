"""An environment over a FastMCP server: what a step gives, which tools there are, and how long they may take."""

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from fastmcp import FastMCP

from openenv.env import EnvironmentAdapter, encode_observation, parse_action, spec_of
from openenv.env.mcp import (
    CallToolAction,
    CallToolObservation,
    ListToolsAction,
    ListToolsObservation,
    MCPEnvironment,
    ToolErrorType,
    environment,
    get_server_tools,
)
from openenv.env.rubrics import Rubric
from openenv.errors import BadAction, ConfigurationError, MissingExtra, UsageError
from openenv.types import Action, Observation, State
from tests.support.tooled import Tooled, make_server, waiting


@pytest.fixture
def tooled() -> Iterator[Tooled]:
    made = Tooled()
    yield made
    made.close()


@pytest.fixture
def held() -> Iterator[None]:
    waiting.clear()
    yield
    waiting.set()


def call(name: str, **arguments: Any) -> CallToolAction:
    return CallToolAction(tool_name=name, arguments=arguments)


def async_step(made: MCPEnvironment, action: Any, **options: Any) -> Any:
    return asyncio.run(made.step_async(action, **options))


def sync_step(made: MCPEnvironment, action: Any, **options: Any) -> Any:
    return made.step(action, **options)


def sync_step_on_a_loop(made: MCPEnvironment, action: Any, **options: Any) -> Any:
    async def main() -> Any:
        return made.step(action, **options)

    return asyncio.run(main())


every_way = pytest.mark.parametrize("step", [async_step, sync_step, sync_step_on_a_loop])
Step = Callable[..., Any]


@every_way
def test_step_works_wherever_it_is_called(step: Step, tooled: Tooled) -> None:
    for name in ("add", "add_async"):  # more than once, so that what is kept of the first call is used by the next
        for a in (1, 2):
            observation = step(tooled, call(name, a=a))
            assert isinstance(observation, CallToolObservation)
            assert (observation.tool_name, observation.result.data, observation.error) == (name, a + 2, None)
    assert isinstance(step(tooled, ListToolsAction()), ListToolsObservation)


def test_tools_are_listed_with_a_description_or_an_empty_one(tooled: Tooled) -> None:
    tools = {tool.name: tool for tool in tooled.step(ListToolsAction()).tools}
    assert tools["add"].description == "Add two numbers."
    assert tools["undescribed"].description == ""
    assert tools["add"].input_schema["required"] == ["a"]
    assert "ctx" not in tools["stated"].input_schema["properties"]


@every_way
@pytest.mark.parametrize("name", ["hang", "hang_async"])
def test_tool_that_hangs_costs_its_limit_and_nothing_else(
    step: Step, name: str, tooled: Tooled, held: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = step(tooled, call(name), timeout_s=0.1).error
    assert error.error_type is ToolErrorType.TIMEOUT
    assert error.message == f"Tool {name!r} did not finish within 0.08 s."
    assert step(tooled, call("add_async", a=1)).result.data == 3
    monkeypatch.setattr(environment, "MCP_TOOL_CALL_TIMEOUT", 0.05)
    assert step(tooled, call(name)).error.error_type is ToolErrorType.TIMEOUT, "the limit of calls that do not say"


def test_sync_tool_that_hangs_is_never_overtaken(tooled: Tooled, held: None) -> None:
    assert tooled.step(call("hang"), timeout_s=0.05).error.error_type is ToolErrorType.TIMEOUT
    assert tooled.step(call("add", a=1), timeout_s=0.05).error.error_type is ToolErrorType.TIMEOUT
    waiting.set()
    assert tooled.step(call("add", a=1)).result.data == 3


def test_limit_of_the_tool_itself_holds_as_well(held: None) -> None:
    server: FastMCP[Any] = FastMCP("limited")
    server.tool(timeout=0.05)(make_server_tool("hang"))
    made = Tooled(server)
    assert made.step(call("hang")).error.error_type is ToolErrorType.TIMEOUT
    made.close()


def make_server_tool(name: str) -> Any:
    tools: dict[str, Any] = get_server_tools(make_server())
    return tools[name].fn


@every_way
def test_tool_cannot_end_the_process(step: Step, tooled: Tooled) -> None:
    error = step(tooled, call("leave")).error
    assert (error.error_type, error.message) == (
        ToolErrorType.EXECUTION_ERROR,
        "Error calling tool 'leave': SystemExit: leaving",
    )


def test_tool_that_cancels_itself_has_failed() -> None:
    server: FastMCP[Any] = FastMCP("cancelling")

    @server.tool
    async def give_up() -> str:
        raise asyncio.CancelledError

    made = Tooled(server)
    assert made.step(call("give_up")).error.error_type is ToolErrorType.EXECUTION_ERROR
    made.close()


def test_cancelled_step_cancels_its_tool() -> None:
    server: FastMCP[Any] = FastMCP("cancelled")
    log: list[str] = []

    async def main() -> None:
        begun, ended = asyncio.Event(), asyncio.Event()

        @server.tool
        async def wait() -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                log.append("cancelled")
                ended.set()

        made = Tooled(server)
        step = asyncio.create_task(made.step_async(call("wait")))
        await begun.wait()
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step
        await ended.wait()
        made.close()

    asyncio.run(main())
    assert log == ["cancelled"]


def test_sync_tools_share_one_thread_and_async_ones_the_loop() -> None:
    server: FastMCP[Any] = FastMCP("threads")

    @server.tool
    def sync() -> int:
        return threading.get_ident()

    @server.tool
    async def later() -> int:
        return threading.get_ident()

    made = Tooled(server)

    async def main() -> list[int]:
        return [(await made.step_async(call(name))).result.data for name in ("sync", "sync", "later")]

    first, second, own = asyncio.run(main())
    assert first == second != threading.get_ident()
    assert own == threading.get_ident()
    made.close()


class TestActionsOfItsOwn:
    class Move(Action):
        by: int

    class Moving(Tooled):
        def _step_impl(self, action: Any, timeout_s: float | None = None, **kwargs: Any) -> Any:
            self.thread = threading.get_ident()
            return Observation(reward=float(action.by), metadata=kwargs)

    class MovingLater(Tooled):
        async def _step_impl(self, action: Any, timeout_s: float | None = None, **kwargs: Any) -> Any:
            self.thread = threading.get_ident()
            return Observation(reward=float(action.by), metadata=kwargs)

    @every_way
    @pytest.mark.parametrize("kind", [Moving, MovingLater])
    def test_is_carried_out_by_step_impl(self, kind: type[Any], step: Step) -> None:
        made = kind()
        observation = step(made, self.Move(by=3), hint="h")
        assert (observation.reward, observation.metadata) == (3.0, {"hint": "h"})
        made.close()

    def test_is_refused_without_it(self, tooled: Tooled) -> None:
        with pytest.raises(UsageError, match="Tooled takes ListToolsAction and CallToolAction, not Move"):
            tooled.step(self.Move(by=1))


def test_override_of_step_alone_is_not_skipped() -> None:
    class Counting(MCPEnvironment):
        steps = 0

        def reset(self) -> Observation:
            return Observation()

        def step(self, action: Any, timeout_s: float | None = None, **kwargs: Any) -> Any:
            self.steps += 1
            return super().step(action, timeout_s=timeout_s, **kwargs)

        @property
        def state(self) -> State:
            return State(step_count=self.steps)

    assert spec_of(Counting).step.name == "step"
    assert spec_of(Tooled).step.name == "step_async"
    made = Counting(make_server())
    adapter = EnvironmentAdapter(made, spec_of(Counting))
    assert b'"data":3' in adapter.step(call("add", a=1), {}).observation  # type: ignore[union-attr]  # it is sync
    assert made.steps == 1
    made.close()


def test_rubric_scores_and_transform_changes_a_tool_call() -> None:
    class Right(Rubric):
        def forward(self, action: Any, observation: Any) -> float:
            return float(observation.result.data == 3)

    def marked(observation: Any) -> Any:
        observation.metadata["seen"] = True
        return observation

    made = Tooled(transform=marked, rubric=Right())
    observation = made.step(call("add", a=1))
    assert observation.reward == 1.0
    assert observation.metadata["seen"] is True
    assert made.step(call("add", a=2)).reward == 0.0
    made.close()


def test_observation_is_encoded_whole(tooled: Tooled) -> None:
    encoded = encode_observation(tooled.step(call("add", a=1)), source="step")
    assert encoded.observation == (
        b'{"metadata":{},"tool_name":"add","result":{"content":[{"type":"text","text":"3","annotations":null,'
        b'"meta":null}],"structured_content":{"result":3},"meta":{"fastmcp":{"wrap_result":true}},"data":3,'
        b'"is_error":false},"error":null}'
    )


class TestToolsOfItsOwn:
    class Moded(MCPEnvironment):
        def __init__(self) -> None:
            @self.tool(mode="production")
            def look(where: str) -> str:
                """Look for real."""
                return f"saw {where}"

            @self.tool(mode="simulation")
            async def look_simulated() -> str:
                return f"{type(self).__name__} saw nothing"

            super().__init__(make_server())

            @self.tool()
            def add(a: int) -> int:
                """Add one."""
                return a + 1

        def reset(self) -> Observation:
            return Observation()

        @property
        def state(self) -> State:
            return State()

    @pytest.mark.parametrize(
        ("mode", "there", "missing"),
        [
            (None, "look_simulated", "look"),
            ("simulation", "look_simulated", "look"),
            ("production", "look", "look_simulated"),
        ],
    )
    def test_mode_decides_which_exist(self, mode: str | None, there: str, missing: str) -> None:
        made = self.Moded()
        made._mode = mode
        names = [tool.name for tool in made.step(ListToolsAction()).tools]
        assert there in names
        assert missing not in names
        assert names.count("add") == 1
        arguments = {"where": "there"} if there == "look" else {}
        assert "saw" in made.step(call(there, **arguments)).result.data
        assert made.step(call(missing)).error.error_type is ToolErrorType.TOOL_NOT_FOUND
        assert made.step(call("add", a=1)).result.data == 2, "its own goes before the server's"
        assert made.step(call("add", a="q")).error.error_type is ToolErrorType.INVALID_ARGS
        made.close()

    def test_is_nobody_elses(self) -> None:
        server = make_server()
        one, other = Tooled(server), Tooled(server)
        one.tool()(lambda_named("only_one"))
        assert one.step(call("only_one")).result.data == "only_one"
        assert other.step(call("only_one")).error.error_type is ToolErrorType.TOOL_NOT_FOUND
        one.close()
        other.close()

    def test_unknown_mode_is_refused(self, tooled: Tooled) -> None:
        with pytest.raises(ConfigurationError, match="a mode is simulation, production, or None"):
            tooled.tool(mode="prod")


def lambda_named(name: str) -> Callable[[], str]:
    def tool() -> str:
        return name

    tool.__name__ = name
    return tool


@pytest.mark.parametrize("name", ["reset", "step", "state", "close"])
def test_reserved_name_is_refused(name: str, tooled: Tooled) -> None:
    with pytest.raises(ConfigurationError, match=f"MCP tools cannot use reserved names: {name};"):
        tooled.tool()(lambda_named(name))
    server: FastMCP[Any] = FastMCP("reserved")
    server.tool(lambda_named(name))
    with pytest.raises(ConfigurationError, match=name):
        Tooled(server)
    tooled.mcp_server.tool(lambda_named(name))  # too late for the constructor
    with pytest.raises(ConfigurationError, match=name):
        tooled.step(ListToolsAction())


def test_reserved_name_is_refused_on_a_loop_too() -> None:
    server: FastMCP[Any] = FastMCP("reserved")
    server.tool(lambda_named("reset"))

    async def main() -> None:
        with pytest.raises(ConfigurationError, match="reset"):
            Tooled(server)

    asyncio.run(main())


def test_subclass_may_keep_its_server_where_we_do() -> None:
    class Keeping(Tooled):
        def __init__(self) -> None:
            self.mcp_server = make_server()
            super().__init__(self.mcp_server)

    made = Keeping()
    assert made.step(call("add", a=1)).result.data == 3
    made.close()


def test_callables_are_the_functions(tooled: Tooled) -> None:
    found = tooled.get_callables()
    assert found["add"](1) == 3
    assert set(found) == set(get_server_tools(tooled.mcp_server))


def test_snapshot_leaves_the_machinery_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tooled, "SNAPSHOT_BY_PICKLE", True)
    one, other = Tooled(), Tooled()
    one.step(call("add", a=1))
    other.restore(one.snapshot())
    assert other.state.step_count == 1
    assert other.step(call("add", a=1)).result.data == 3
    one.close()
    other.close()


def test_close_ends_the_thread_and_what_comes_later_still_works(tooled: Tooled) -> None:
    def threads() -> list[str]:
        return [thread.name for thread in threading.enumerate() if thread.name == "openenv-tools"]

    tooled.step(call("add", a=1))
    assert len(threads()) == 1
    tooled.close()
    tooled.close()
    tooled.step(call("add", a=1))
    made = Tooled()
    made.step(call("add", a=1))
    del made  # without close


def test_close_works_on_a_loop(tooled: Tooled) -> None:
    tooled.step(call("add", a=1))

    async def main() -> None:
        tooled.close()

    asyncio.run(main())


def test_without_the_extra_one_error_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastmcp", None)
    with pytest.raises(MissingExtra) as raised:
        Tooled(object())  # type: ignore[arg-type]  # there is no FastMCP to make one of
    assert raised.value.hint == 'pip install "openenv-runtime[mcp]"'


@pytest.mark.parametrize("action_class", [Action, CallToolAction, ListToolsAction])
def test_either_action_is_parsed_by_its_type(action_class: Any) -> None:
    assert isinstance(parse_action(action_class, {"type": "list_tools"}), ListToolsAction)
    parsed = parse_action(action_class, {"type": "call_tool", "tool_name": "add", "arguments": {"a": 1}})
    assert parsed == call("add", a=1)
    with pytest.raises(BadAction):
        parse_action(action_class, {"type": "call_tool", "arguments": {}})


def test_action_without_a_type_is_of_the_declared_class() -> None:
    assert parse_action(CallToolAction, {"tool_name": "add"}) == call("add")
    others: list[Any] = [{}, [], None, {"type": ["list_tools"], "tool_name": "add"}, {"type": "x", "tool_name": "add"}]
    for wrong in others:
        with pytest.raises(BadAction):
            parse_action(CallToolAction, wrong)
